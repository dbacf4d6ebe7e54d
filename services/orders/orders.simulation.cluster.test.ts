import { scratchPostgres } from "../../test/scratch.ts";
import { simulationSuite } from "./orders.simulation.suite.ts";

simulationSuite("a Postgres server", scratchPostgres, 20);
