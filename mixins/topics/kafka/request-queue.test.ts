import assert from "node:assert/strict";
import { it } from "node:test";
import { Kafka, logLevel } from "kafkajs";
import { kafkaConnection } from "./connection.ts";
import { clusterOf } from "./reader.ts";

interface Queue {
	pending: unknown[];
	throttleCheckTimeoutId: NodeJS.Timeout | null;
	scheduleCheckPendingRequests(): void;
}

/** A request queue of a client, which is not connected. */
async function queueOf(kafka: Kafka): Promise<Queue> {
	const cluster = clusterOf({ kafka }) as unknown as {
		connectionPoolBuilder: { build(at: object): Promise<{ pool: { requestQueue: Queue }[] }> };
	};
	const { pool } = await cluster.connectionPoolBuilder.build({ host: "localhost", port: 1 });
	return pool[0]!.requestQueue;
}

/** Whether the queue schedules a check of its delayed requests. */
function schedules(queue: Queue): boolean {
	queue.scheduleCheckPendingRequests();
	const timer = queue.throttleCheckTimeoutId;
	if (timer) clearTimeout(timer);
	queue.throttleCheckTimeoutId = null;
	return timer !== null;
}

it("checks for delayed requests only while there is one", async () => {
	const queue = await queueOf(kafkaConnection({ brokers: ["localhost:1"], clientId: "own" }).kafka);
	assert.equal(schedules(queue), false);
	queue.pending.push({});
	assert.equal(schedules(queue), true);
});

it("leaves other kafkajs clients of the process as they are", async () => {
	kafkaConnection({ brokers: ["localhost:1"], clientId: "own" });
	const other = new Kafka({ brokers: ["localhost:1"], logLevel: logLevel.NOTHING });
	assert.equal(schedules(await queueOf(other)), true);
});
