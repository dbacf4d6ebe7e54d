export { addMetric, type Metric, type Reading, updateMetrics } from "../metrics.ts";
