import { scratchEmbedded } from "../../test/scratch.ts";
import { seatsSuite } from "./seats.suite.ts";

seatsSuite("the embedded Postgres", scratchEmbedded);
