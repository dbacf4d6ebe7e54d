// Poison: records that cannot be handled, written among the others. Each must end in the dead-letter topic, once for each group that rejects it.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { TopicContract } from "../../contract/topic.ts";
import { topics as contracts } from "../../services/contract.ts";
import { eventually, fresh } from "../client.ts";
import type { Ledger } from "../ledger.ts";
import { kafkaRecords } from "../outside.ts";
import type { Draw } from "./draw.ts";
import { GROUPS, withAdmin } from "./idle.ts";

const MARK = "poison";
/** Near the maximum record size: with its headers the dead letter is larger. */
const LARGE = 1_040_000;
const PAUSE_MS = 100;

interface Poison {
	topic: string;
	value: string;
	/** The groups that reject it. Default: all that read the topic. */
	groups?: string[];
}

const topics = ["Selections", "user_purchase", "Synchronizations", "order.created", "payment.failed"];
/** Every gateway reads the topics that it shows, and one of them publishes the dead letters, in the name of the socket service. */
const shown = Object.keys(contracts).filter(topic => (contracts as Record<string, TopicContract>)[topic]?.deliveries);
const readersOf = (topic: string) => [
	...Object.keys(GROUPS).filter(group => GROUPS[group]?.includes(topic)),
	...(shown.includes(topic) ? ["socket"] : [])
];

const kinds: Record<string, (draw: Draw, ledger: Ledger) => Poison> = {
	"not JSON": draw => ({ topic: draw.of(topics), value: '{"name":' }),
	"wrong shape": draw => ({ topic: draw.of(topics), value: draw.of(["null", "[]", '{"id":1}', '{"user_id":{}}']) }),
	"too large": draw => ({ topic: draw.of(topics), value: JSON.stringify({ user_id: "x".repeat(LARGE) }) }),
	/** Valid, but rejected by its handler. */
	refused(draw, { entries }) {
		const orderId = fresh("order");
		const paid = { orderId, buyerId: "nobody", amount: 1 };
		const order = { orderId, buyerId: "nobody", items: [], total: 0.001, status: "pending", createdAt: new Date().toISOString() };
		const bought = entries.find(one => one.kind === "purchase" && one.acknowledged)?.body;
		return draw.of([
			{ topic: "payment.failed", value: JSON.stringify(paid) },
			{ topic: "order.created", value: JSON.stringify(order), groups: ["payment"] },
			// A known id with another amount.
			{ topic: "user_purchase", value: JSON.stringify({ ...bought, amount: 1_000 }) }
		]);
	}
};

/** Writes `ofEach` records of each kind. Resolves to a check that all of them were dead-lettered. */
export async function poison(draw: Draw, ledger: Ledger, ofEach: number): Promise<(timeoutMs: number) => Promise<void>> {
	const startMs = Date.now();
	const wanted = new Map<string, string>();
	await withAdmin(async (_, kafka) => {
		// After Kafka has created hundreds of partitions, it may take a while until all have a leader.
		const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 30, maxRetryTime: 2_000 } });
		await producer.connect();
		try {
			for (let n = 0; n < ofEach; n++) {
				for (const [kind, make] of Object.entries(kinds)) {
					const { topic, value, groups = readersOf(topic) } = make(draw, ledger);
					const mark = fresh(MARK);
					for (const group of groups) wanted.set(`${mark} ${group}`, `${kind} on ${topic}`);
					await producer.send({ topic, messages: [{ key: mark, value, headers: { [MARK]: mark } }] });
					await delay(PAUSE_MS);
				}
			}
		} finally {
			await producer.disconnect();
		}
	});
	const allDead = async () => {
		const dead = new Set<string>();
		for (const topic of topics)
			for (const { headers } of await kafkaRecords(`${topic}.dead`, startMs))
				dead.add(`${headers[MARK]} ${headers["dead-group"]}`);
		const left = [...wanted].filter(([one]) => !dead.has(one));
		assert.deepEqual(left, [], `${left.length} of ${wanted.size} poison records were not dead-lettered`);
	};
	return timeoutMs => eventually(allDead, "all poison records to be dead-lettered", timeoutMs);
}
