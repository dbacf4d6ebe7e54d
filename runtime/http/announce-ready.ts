import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import { type HealthReport, problemsOf } from "./health-pages.ts";

export interface Addresses {
	services: readonly string[];
	host: string;
	httpPort: number;
	grpcPort: number;
	metricsHost: string;
	/** 0: no metrics. */
	metricsPort: number;
}

/** Each health check calls every node: checking more often would slow down their start. */
const POLL_MS = 200;
const PROGRESS_EVERY_MS = 5_000;

/** Prints one line with the node's addresses once the whole system is healthy; until then logs every few seconds which checks fail. */
export async function announceReady(
	broker: ServiceBroker,
	health: (broker: ServiceBroker) => Promise<HealthReport>,
	{ host, httpPort, grpcPort, metricsHost, metricsPort, services }: Addresses
) {
	let loggedAtMs = Date.now();
	for (let report = await health(broker); report.status !== "ok"; report = await health(broker)) {
		if (broker.stopping) return;
		if (Date.now() - loggedAtMs > PROGRESS_EVERY_MS) {
			loggedAtMs = Date.now();
			broker.getLogger("HEALTH").info(`not ready yet, waiting for ${problemsOf(report)}`);
		}
		await delay(POLL_MS);
	}
	const grpc = services.includes("wallet") ? `, gRPC at ${host}:${grpcPort}` : "";
	const metrics = metricsPort === 0 ? "" : `, metrics at http://${metricsHost}:${metricsPort}/metrics`;
	console.log(`Plaza is ready: http://${host}:${httpPort} (page, API, /ws, /socket.io)${grpc}${metrics}`);
}
