// Waits until the system is idle: all outboxes are empty, and every group has committed its topics to their ends.
import assert from "node:assert/strict";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { eventually } from "../client.ts";
import { psql } from "../outside.ts";
import { type System, servers } from "../system.ts";

/** The topics of each consumer group. */
export const GROUPS: Record<string, readonly string[]> = {
	selections: ["Selections"],
	sync: ["Synchronizations"],
	wallet: ["user_purchase"],
	inventory: ["product.created", "order.created", "order.cancelled"],
	payment: ["order.created", "order.cancelled"],
	orders: ["payment.succeeded", "payment.failed"]
};
const OUTBOXES = ["outbox", "orders_outbox", "payment_outbox", "inventory_outbox", "products_outbox", "seats_outbox"];

export async function withAdmin<T>(use: (admin: Admin, kafka: Kafka) => Promise<T>): Promise<T> {
	const kafka = new Kafka({ brokers: (servers().KAFKA_BROKERS ?? "localhost:9092").split(","), logLevel: logLevel.NOTHING });
	const admin = kafka.admin();
	await admin.connect();
	return use(admin, kafka).finally(() => admin.disconnect());
}

async function allHandled(admin: Admin) {
	for (const [groupId, topics] of Object.entries(GROUPS)) {
		for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics: [...topics] })) {
			const committed = new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]));
			for (const { partition, high } of await admin.fetchTopicOffsets(topic))
				assert.ok(
					Number(high) === 0 || committed.get(partition) === Number(high),
					`${groupId} is at ${committed.get(partition)} of ${high} in ${topic}/${partition}`
				);
		}
	}
}

async function allSent() {
	for (const outbox of OUTBOXES) {
		const [[waiting] = []] = await psql(`select count(*) from ${outbox}`);
		assert.equal(waiting, "0", `${waiting} messages wait in ${outbox}`);
	}
}

/** Handling may add messages to an outbox, and published messages must be handled: check both twice in a row. */
export const untilIdle = (timeoutMs: number) =>
	withAdmin(admin =>
		eventually(
			async () => {
				for (let pass = 1; pass <= 2; pass++) {
					await allSent();
					await allHandled(admin);
				}
			},
			"everything to be sent and handled",
			timeoutMs
		)
	);

/** Metric, topic and group → value, parsed from one node's metrics. */
const metricsOf = (text: string) =>
	new Map<string, number>(
		[...text.matchAll(/^plaza_topics_(\w+)\{([^}]*)\} (\d+)/gm)].map(([, metric, labels = "", value]) => {
			const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1];
			return [`${metric} ${label("topic")} ${label("group")}`, Number(value)];
		})
	);

/** Checks on every node that applied, duplicate, dead and parked sum to consumed. Resolves to the totals of consumed and duplicate messages. */
export async function checkMetrics(system: System): Promise<{ consumed: number; duplicate: number }> {
	const sums = { consumed: 0, duplicate: 0 };
	for (const url of system.metricsUrls) {
		const metrics = metricsOf(await (await fetch(`${url}/metrics`)).text());
		for (const [name, consumed] of metrics) {
			if (!name.startsWith("consumed ")) continue;
			const of = (metric: string) => metrics.get(name.replace("consumed", metric)) ?? 0;
			const parts = { applied: of("applied"), duplicate: of("duplicate"), dead: of("dead"), parked: of("parked") };
			const sum = Object.values(parts).reduce((all, one) => all + one, 0);
			assert.equal(sum, consumed, `${name} at ${url}: ${consumed} is not the sum of ${JSON.stringify(parts)}`);
			sums.consumed += consumed;
			sums.duplicate += parts.duplicate;
		}
	}
	return sums;
}
