import { orphanedReservationsSuite } from "./orphaned-reservations.suite.ts";
import { scratchEmbedded } from "./scratch.ts";

orphanedReservationsSuite("embedded", scratchEmbedded);
