import { scratchPostgres } from "../../test/scratch.ts";
import { summarySuite } from "./summary.suite.ts";

summarySuite("a Postgres server", scratchPostgres);
