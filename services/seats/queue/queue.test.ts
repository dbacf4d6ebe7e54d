import { scratchEmbedded } from "../../../test/scratch.ts";
import { admissionSuite } from "./queue.admission.suite.ts";
import { queueSuite } from "./queue.suite.ts";

queueSuite("embedded", scratchEmbedded);
admissionSuite("embedded", scratchEmbedded);
