// All measures, in the order in which they are done and told.
import type { Measure } from "./measure.ts";
import { purchases } from "./measures/g1-purchases.ts";
import { naivePurchases, pacedPurchases } from "./measures/g2-naive.ts";
import { balance } from "./measures/g5-balance.ts";

export const measures: Measure[] = [purchases, naivePurchases, pacedPurchases, balance];
