/**
 * A correction of kafkajs 2.2.4 (kafkajs#1704, not released): after its first response, each connection checks every millisecond, for ever,
 * whether a delayed request may be sent, also when none is. With twenty connections that costs an eighth of a processor. Here it checks only while
 * a request is delayed. Only the given client is changed: an application may have other kafkajs clients.
 */
import type { Kafka } from "kafkajs";

interface RequestQueue {
	pending: unknown[];
	scheduleCheckPendingRequests(): void;
}

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
			for (const { requestQueue } of connections.pool) checkOnlyWhilePending(requestQueue);
			return connections;
		};
		return cluster;
	};
}
