import { scratchEmbedded } from "../../test/scratch.ts";
import { admissionSuite } from "./seats.admission.suite.ts";
import { queueSuite } from "./seats.queue.suite.ts";

queueSuite("embedded", scratchEmbedded);
admissionSuite("embedded", scratchEmbedded);
