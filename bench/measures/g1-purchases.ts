import { startBaseline } from "../baselines/process.ts";
import type { Measure, Side } from "../measure.ts";
import { pidsOf, startPlaza, WORKERS } from "../plaza.ts";
import { type PurchaseClientsOptions, startPurchaseClients } from "../purchase-clients.ts";
import { makeTopic } from "../topic.ts";

export const SOCKETS = 256;
/** Purchases in flight on each socket: the client does not wait for an answer before it sends the next frame. */
export const IN_FLIGHT = 4;
const LAYOUT = { all: `api,socket,${WORKERS}` };

/** Plaza with its purchase clients. */
export async function boughtFromPlaza(load: PurchaseClientsOptions["load"]) {
	const plaza = await startPlaza(LAYOUT);
	const pids = () => pidsOf(plaza);
	const side = await startPurchaseClients({ name: "Plaza", wsUrl: plaza.wsUrl, grpc: plaza.grpc, pids, sockets: SOCKETS, load });
	return {
		side,
		async stop() {
			side.close();
			await plaza.stop();
		}
	};
}

async function bareKafka() {
	const env = { TOPIC: "bare_purchase", USERS: String(SOCKETS) };
	await makeTopic(env.TOPIC);
	const consumer = await startBaseline("kafka-consume.ts", env);
	const producer = await startBaseline("kafka-produce.ts", env);
	let sent = 0;
	const side: Side = {
		name: "bare kafkajs",
		async round(ms) {
			const operations = (await producer.ask(ms)) as number;
			sent += operations;
			await consumer.ask(sent);
			return { operations };
		}
	};
	return { side, stop: () => Promise.all([consumer.stop(), producer.stop()]) };
}

export const purchases: Measure = {
	id: "G1",
	title: `purchases, from a WebSocket frame to the right balance over gRPC: ${SOCKETS} sockets, ${IN_FLIGHT} purchases in flight on each`,
	against: "kafkajs producing the same payloads in batches of 100, and kafkajs consuming them",
	layout:
		"Plaza: one process with every service. kafkajs: a process that produces, a process that consumes. The clients in another",
	targets: [{ metric: "rate", least: 0.25 }],
	async open() {
		// The baseline's topic first: after Plaza's hundreds of partitions a fresh Kafka needs more than 5 s for another topic.
		const baseline = await bareKafka();
		const ours = await boughtFromPlaza({ inFlight: IN_FLIGHT });
		return {
			ours: ours.side,
			baseline: baseline.side,
			close: async () => void (await Promise.all([ours.stop(), baseline.stop()]))
		};
	}
};
