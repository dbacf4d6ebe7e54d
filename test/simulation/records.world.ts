// Topics without other features: two services that only record the messages that they handle, all kinds of poison, and a dependency that is
// temporarily unavailable. Unusable records must be dead-lettered, records whose dependency is unavailable must wait, all others are handled in key order.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { ServiceSchema } from "moleculer";
import { z } from "zod";
import { conflict, unavailable } from "../../mixins/errors.ts";
import type { Received } from "../../mixins/topics/handler-types.ts";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { serverNamed } from "./injected-faults.ts";
import { createNode, type Node } from "./nodes.ts";
import { checkDead } from "./purchases.check.ts";
import type { World, WorldContext } from "./world.ts";

const PARTITIONS = 2;
const KEYS = ["k", "l", "m", "n"];
const Message = z.object({ key: z.string(), n: z.int(), kind: z.enum(["good", "refused", "broken", "flaky", "waits"]) });
type Message = z.output<typeof Message>;
const contract = { message: Message, key: ({ key }: Message) => key };
const contracts = { single: contract, together: contract };
type Topic = keyof typeof contracts;
const TOPICS: Topic[] = ["single", "together"];
const UNREADABLE = ["", "nothing", "null", '{"key":"k","n":1.5,"kind":"good"}', '{"key":"k"}'];
/** The number of attempts of a handler before its record is dead-lettered. */
const ATTEMPTS = 5;

export function records({ scheduler, faults, topics }: WorldContext): World {
	const { random } = scheduler;
	const store = serverNamed("store", scheduler, faults);
	/** Handled messages in order; a message occurs twice only if it was redelivered. */
	const done: Record<Topic, Message[]> = { single: [], together: [] };
	const written: Record<Topic, Message[]> = { single: [], together: [] };
	const poison: Record<Topic, string[]> = { single: [], together: [] };
	const availableAtMs = scheduler.nowMs() + random.between(0, 30_000);

	const handlersOf = () => {
		const failures = new Map<string, number>();
		const examine = ({ key, n, kind }: Message) => {
			if (kind === "refused") throw conflict("no", {});
			if (kind === "broken") throw new Error("this message always fails");
			if (kind === "waits" && scheduler.nowMs() < availableAtMs) throw unavailable("a dependency");
			const failed = failures.get(`${key}${n}`) ?? 0;
			failures.set(`${key}${n}`, failed + 1);
			if (kind === "flaky" && failed < ATTEMPTS - 1) throw new Error("this message fails until its last attempt");
		};
		const doAll = (topic: Topic, messages: Message[]) => {
			messages.forEach(examine);
			return store.request(`do ${messages.map(({ key, n }) => `${key}${n}`)}`, () => void done[topic].push(...messages));
		};
		return {
			single: ({ message }: Received<Message>) => doAll("single", [message]),
			together: {
				batch: ({ received }: { received: Received<Message>[] }) =>
					doAll(
						"together",
						received.map(({ message }) => message)
					)
			}
		};
	};

	const nodes: Node[] = ["node-1", "node-2"].slice(0, random.between(1, 2)).map(name =>
		createNode(
			name,
			scheduler,
			({ broker }) => {
				const handlers = handlersOf();
				for (const topic of TOPICS)
					broker.createService({
						name: `reader-of-${topic}`,
						mixins: [topicsMixin(topics.log, { contracts, partitions: PARTITIONS })],
						topics: { [topic]: handlers[topic] }
					} as ServiceSchema);
			},
			({ actor }) => topics.groups.removeAfterTimeout(actor)
		)
	);

	const writer = async (topic: Topic) => {
		for (let n = 1; n <= random.between(5, 25); n++) {
			await delay(random.between(0, 400));
			if (random.chance(0.15)) {
				const value = `${random.pick(UNREADABLE)}${" ".repeat(n)}`;
				poison[topic].push(value);
				topics.write({ topic, key: null, value, partition: random.between(0, PARTITIONS - 1) });
				continue;
			}
			const kind = random.pick(["good", "good", "good", "refused", "broken", "flaky", "waits"] as const);
			const message: Message = { key: random.pick(KEYS), n, kind };
			const value = JSON.stringify(message);
			if (kind === "refused" || kind === "broken") poison[topic].push(value);
			else written[topic].push(message);
			topics.write({ topic, key: message.key, value });
		}
	};

	return {
		nodes,
		servers: [store],
		async runClients() {
			while (!topics.exist("together.dead")) await delay(10);
			await Promise.all(TOPICS.map(writer));
		},
		isIdle: () => true,
		check() {
			for (const topic of TOPICS) {
				checkDead(topic, poison[topic], topics);
				for (const key of KEYS) {
					const numbers = (of: Message[]) => of.filter(one => one.key === key).map(({ n }) => n);
					const order = numbers(done[topic]);
					const wanted = numbers(written[topic]);
					assert.deepEqual(new Set(order), new Set(wanted), `handled messages of ${key} on ${topic}`);
					assert.deepEqual([...new Set(order)], wanted, `the order in which messages of ${key} on ${topic} were first handled`);
				}
			}
		}
	};
}
