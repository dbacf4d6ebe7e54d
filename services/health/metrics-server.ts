// The HTTP server of a node for its operators, on METRICS_PORT: metrics and the node's own health.
import { randomUUID } from "node:crypto";
import { type MetricRegistry, MetricReporters, type Middleware, type ServiceBroker } from "moleculer";
import { updateMetrics } from "../../mixins/metrics.ts";
import type { Connections } from "../../runtime/http/connections.ts";
import { hostNotAllowed, notFound, sendError, sendJson } from "../../runtime/http/http-error.ts";
import { limitConnections } from "../../runtime/http/limit-connections.ts";
import { listen } from "../../runtime/http/listen.ts";
import { isHostAllowed } from "../../runtime/http/loopback-host.ts";
import { setSecurityHeaders } from "../../runtime/http/security-headers.ts";
import { httpServer, TIMEOUTS } from "../../runtime/http/server.ts";
import { watchConnections } from "../../runtime/http/watch-connections.ts";
import { nodeHealth } from "./health.checks.ts";
import { recordPauses } from "./pauses.ts";
import { exportProcessMetrics } from "./process-metrics.ts";

/** Moleculer's metrics that describe the person and the machine instead of the node: its arguments, user name, home directory and network addresses. */
const PRIVATE_METRICS = ["process.arguments", "os.user.*", "os.network.*", "os.hostname"];

/** Moleculer's Prometheus reporter without its HTTP server: metrics and health share ours. */
export class MetricsText extends MetricReporters.Prometheus {
	declare defaultLabels: Record<string, string>;

	constructor() {
		super({ excludes: PRIVATE_METRICS });
	}

	override init(registry: MetricRegistry) {
		MetricReporters.Base.prototype.init.call(this, registry);
		this.defaultLabels = { nodeID: registry.broker.nodeID };
	}

	override stop() {
		return Promise.resolve();
	}
}

const textOf = async (broker: ServiceBroker) => {
	await updateMetrics(broker);
	const reporter = broker.metrics.reporter.find(one => one instanceof MetricsText);
	return reporter?.generatePrometheusResponse() ?? "";
};

export interface MetricsServerConfig {
	metricsHost: string;
	/** 0: no metrics. */
	metricsPort: number;
	/** The counters of the process, shared with its other listeners. */
	connections: () => Connections;
}

/** Middleware: serves `/metrics` and `/health/*` from before the transporter is connected until all services have stopped. */
export function metricsServer({ metricsHost, metricsPort, connections }: MetricsServerConfig): Middleware {
	let broker: ServiceBroker;
	let stopRecording = () => {};
	const server = httpServer(TIMEOUTS, async (req, res) => {
		const url = req.url?.split("?", 1)[0];
		res.setHeader("X-Request-ID", randomUUID());
		setSecurityHeaders(res, false);
		if (!isHostAllowed(req.headers.host, metricsHost)) return sendError(res, hostNotAllowed);
		if (url === "/metrics") {
			const text = await textOf(broker);
			res.writeHead(200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
			return res.end(text);
		}
		if (url === "/health/live") return sendJson(res, 200, { status: "ok" });
		if (url !== "/health" && url !== "/health/ready") return sendError(res, notFound);
		const report = await nodeHealth(broker);
		return sendJson(res, report.status === "ok" ? 200 : 503, report);
	});
	return {
		name: "MetricsServer",

		async starting(starting: ServiceBroker) {
			broker = starting;
			if (metricsPort === 0) return;
			exportProcessMetrics(broker, connections());
			stopRecording = recordPauses(broker);
			limitConnections(server, connections(), watchConnections(server, TIMEOUTS).closeIdle);
			await listen(server, metricsPort, metricsHost, "METRICS_PORT", line => broker.logger.warn(line));
		},

		async stopped() {
			stopRecording();
			server.close();
			server.closeAllConnections();
		}
	};
}
