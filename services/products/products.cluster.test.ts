import { scratchPostgres } from "../../test/scratch.ts";
import { productsSuite } from "./products.suite.ts";

productsSuite("on a Postgres server", scratchPostgres);
