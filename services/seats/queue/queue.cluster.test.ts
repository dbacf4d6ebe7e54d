import { scratchPostgres } from "../../../test/scratch.ts";
import { admissionSuite } from "./queue.admission.suite.ts";
import { queueSuite } from "./queue.suite.ts";

queueSuite("on a Postgres server", scratchPostgres);
admissionSuite("on a Postgres server", scratchPostgres);
