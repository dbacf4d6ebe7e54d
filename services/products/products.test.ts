import { scratchEmbedded } from "../../test/scratch.ts";
import { productsSuite } from "./products.suite.ts";

productsSuite("embedded", scratchEmbedded);
