import { scratchPostgres } from "../../test/scratch.ts";
import { inventorySuite } from "./inventory.suite.ts";

inventorySuite("on a Postgres server", scratchPostgres);
