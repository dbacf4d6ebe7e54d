import { scratchPostgres } from "../../test/scratch.ts";
import { admissionSuite } from "./seats.admission.suite.ts";
import { queueSuite } from "./seats.queue.suite.ts";

queueSuite("on a Postgres server", scratchPostgres);
admissionSuite("on a Postgres server", scratchPostgres);
