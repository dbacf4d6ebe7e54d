import { scratchEmbedded } from "../../test/scratch.ts";
import { simulationSuite } from "./orders.simulation.suite.ts";

simulationSuite("the embedded Postgres", scratchEmbedded, 20);
