export { type Limits, memoryLimits, type Rate, rateOf } from "../limits/limits.ts";
