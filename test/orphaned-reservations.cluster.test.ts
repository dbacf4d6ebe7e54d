import { orphanedReservationsSuite } from "./orphaned-reservations.suite.ts";
import { scratchPostgres } from "./scratch.ts";

orphanedReservationsSuite("on a Postgres server", scratchPostgres);
