import { freePorts } from "../../test/process.ts";
import { startBaseline } from "../baselines/process.ts";
import type { Measure } from "../measure.ts";
import { type PurchaseClientsOptions, startPurchaseClients } from "../purchase-clients.ts";
import { makeTopic } from "../topic.ts";
import { boughtFromPlaza, IN_FLIGHT, SOCKETS } from "./g1-purchases.ts";

async function boughtNaively(load: PurchaseClientsOptions["load"]) {
	const [port] = await freePorts(1);
	const topic = "naive_purchase";
	await makeTopic(topic);
	const naive = await startBaseline("naive-purchases.ts", { GRPC_PORT: String(port), TOPIC: topic });
	const wsUrl = `ws://127.0.0.1:${naive.port}`;
	const side = await startPurchaseClients({
		name: "the naive flow",
		wsUrl,
		grpc: `127.0.0.1:${port}`,
		pids: () => [naive.pid],
		sockets: SOCKETS,
		load
	});
	return {
		side,
		async stop() {
			side.close();
			await naive.stop();
		}
	};
}

const AGAINST =
	"the naive flow on the same libraries: one INSERT, one awaited kafkajs send, an eachMessage consumer, INCRBYFLOAT, a grpc-js GET";
const LAYOUT = "one process with every service; the naive flow in one process too; the clients in another";

async function open(load: PurchaseClientsOptions["load"]) {
	const [ours, baseline] = [await boughtFromPlaza(load), await boughtNaively(load)];
	return {
		ours: ours.side,
		baseline: baseline.side,
		close: async () => void (await Promise.all([ours.stop(), baseline.stop()]))
	};
}

export const naivePurchases: Measure = {
	id: "G2",
	title: `purchases, from a WebSocket frame to the right balance over gRPC: ${SOCKETS} clients, ${IN_FLIGHT} purchases in flight on each`,
	against: AGAINST,
	layout: LAYOUT,
	targets: [{ metric: "rate", least: 8 }],
	open: () => open({ inFlight: IN_FLIGHT })
};

/** About a tenth of the naive flow's highest rate on two cores. */
const PER_SECOND = 200;

export const pacedPurchases: Measure = {
	id: "G2-paced",
	title: `purchases at a tenth of the naive flow's rate: ${PER_SECOND} a second of ${SOCKETS} clients, latency of the answer`,
	against: AGAINST,
	layout: LAYOUT,
	targets: [
		{ metric: "p50Ms", most: 1 },
		{ metric: "cpuUs", most: 1 }
	],
	open: () => open({ perSecond: PER_SECOND })
};
