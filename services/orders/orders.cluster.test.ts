import { scratchPostgres } from "../../test/scratch.ts";
import { ordersSuite } from "./orders.suite.ts";

ordersSuite("a Postgres server", scratchPostgres);
