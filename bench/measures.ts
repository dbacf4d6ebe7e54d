// All measures, in the order in which they are done and told.
import type { Measure } from "./measure.ts";
import { balance } from "./measures/g5-balance.ts";

export const measures: Measure[] = [balance];
