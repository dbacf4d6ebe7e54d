import { scratchPostgres } from "../../test/scratch.ts";
import { paymentSuite } from "./payment.suite.ts";

paymentSuite("a Postgres server", scratchPostgres);
