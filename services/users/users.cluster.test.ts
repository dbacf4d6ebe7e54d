import { scratchPostgres } from "../../test/scratch.ts";
import { accountsSuite } from "./users.accounts.suite.ts";
import { sessionsSuite } from "./users.sessions.suite.ts";

accountsSuite("a Postgres server", scratchPostgres);
sessionsSuite("a Postgres server", scratchPostgres);
