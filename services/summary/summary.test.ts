import { scratchEmbedded } from "../../test/scratch.ts";
import { summarySuite } from "./summary.suite.ts";

summarySuite("the embedded Postgres", scratchEmbedded);
