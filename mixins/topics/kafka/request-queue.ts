/**
 * Corrections of kafkajs 2.2.4 (kafkajs#1704, not released): after its first response, each connection checks every millisecond, for ever,
 * whether a delayed request may be sent, also when none is. With twenty connections that costs an eighth of a processor. Here it checks only while
 * a request is delayed. Ten times per second each connection also checks whether a request has timed out; here once. Only the given client is changed:
 * an application may have other kafkajs clients.
 */
import type { Kafka } from "kafkajs";

interface RequestQueue {
	pending: unknown[];
	scheduleCheckPendingRequests(): void;
	scheduleRequestTimeoutCheck(): void;
	requestTimeoutIntervalId: NodeJS.Timeout | undefined;
	inflight: Map<number, { sentAt: number; requestTimeout: number; timeoutRequest(): void }>;
	isConnected(): boolean;
	/** Ends its timers. */
	destroy(): void;
}

/** Requests time out after seconds. */
const TIMEOUT_CHECK_MS = 1_000;

/** What is used of kafkajs and is not among its types. */
interface ClusterInternals {
	connectionPoolBuilder: { build(destination?: object): Promise<{ pool: { requestQueue: RequestQueue }[] }> };
}

function checkOnlyWhilePending(queue: RequestQueue) {
	const schedule = queue.scheduleCheckPendingRequests;
	queue.scheduleCheckPendingRequests = () => {
		if (queue.pending.length > 0) schedule.call(queue);
	};
}

function checkTimeoutsEverySecond(queue: RequestQueue) {
	const check = () => {
		for (const request of queue.inflight.values())
			if (Date.now() - request.sentAt > request.requestTimeout) request.timeoutRequest();
		if (!queue.isConnected()) queue.destroy();
	};
	queue.scheduleRequestTimeoutCheck = () => {
		queue.destroy();
		queue.requestTimeoutIntervalId = setInterval(check, TIMEOUT_CHECK_MS);
	};
}

/** Corrects the request queues of every connection that this client will open. With another version of kafkajs it may do nothing. */
export function correctRequestQueues(kafka: Kafka): void {
	const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === "private:Kafka:createCluster");
	if (!symbol) return;
	const client = kafka as unknown as Record<symbol, (options: object) => ClusterInternals>;
	const createCluster = client[symbol]!;
	client[symbol] = options => {
		const cluster = createCluster(options);
		const { build } = cluster.connectionPoolBuilder;
		cluster.connectionPoolBuilder.build = async destination => {
			const connections = await build(destination);
			for (const { requestQueue } of connections.pool) {
				checkOnlyWhilePending(requestQueue);
				checkTimeoutsEverySecond(requestQueue);
			}
			return connections;
		};
		return cluster;
	};
}
