import { setTimeout as delay } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import type { HealthReport } from "./health-pages.ts";

export interface Addresses {
	services: readonly string[];
	host: string;
	httpPort: number;
	grpcPort: number;
	metricsHost: string;
	/** 0: no metrics. */
	metricsPort: number;
}

const POLL_MS = 50;

/** Prints one line with the node's addresses once the whole system is healthy. */
export async function announceReady(
	broker: ServiceBroker,
	health: (broker: ServiceBroker) => Promise<HealthReport>,
	{ host, httpPort, grpcPort, metricsHost, metricsPort, services }: Addresses
) {
	while ((await health(broker)).status !== "ok") {
		if (broker.stopping) return;
		await delay(POLL_MS);
	}
	const grpc = services.includes("wallet") ? `, gRPC at ${host}:${grpcPort}` : "";
	const metrics = metricsPort === 0 ? "" : `, metrics at http://${metricsHost}:${metricsPort}/metrics`;
	console.log(`Plaza is ready: http://${host}:${httpPort} (page, API, /ws, /socket.io)${grpc}${metrics}`);
}
