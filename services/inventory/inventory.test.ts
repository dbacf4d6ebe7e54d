import { scratchEmbedded } from "../../test/scratch.ts";
import { inventorySuite } from "./inventory.suite.ts";

inventorySuite("embedded", scratchEmbedded);
