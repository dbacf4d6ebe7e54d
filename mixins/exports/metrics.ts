export { addMetric, type Metric, metricName, type Reading, updateMetrics } from "../metrics.ts";
