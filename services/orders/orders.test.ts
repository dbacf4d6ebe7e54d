import { scratchEmbedded } from "../../test/scratch.ts";
import { ordersSuite } from "./orders.suite.ts";

ordersSuite("the embedded Postgres", scratchEmbedded);
