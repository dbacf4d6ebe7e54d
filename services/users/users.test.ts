import { scratchEmbedded } from "../../test/scratch.ts";
import { accountsSuite } from "./users.accounts.suite.ts";
import { sessionsSuite } from "./users.sessions.suite.ts";

accountsSuite("the embedded Postgres", scratchEmbedded);
sessionsSuite("the embedded Postgres", scratchEmbedded);
