// That the figures of a group tell the truth, on a driver: the log's own offsets, and what handlers saw, say what it is.
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { Errors, ServiceBroker, type ServiceSchema } from "moleculer";
import { z } from "zod";
import { eventually, fresh } from "../../test/client.ts";
import { unavailable } from "../errors.ts";
import { updateMetrics } from "../metrics.ts";
import { deadTopic } from "./dead-letter.ts";
import type { Received } from "./handler-types.ts";
import { partitionOf } from "./partition.ts";
import type { Outgoing, TopicLog } from "./topic-log.ts";
import { topics } from "./topics.ts";

const PARTITIONS = 3;
/** Messages of each fate. */
const EACH = 6;
const FIGURES = ["consumed", "applied", "duplicate", "dead", "strays", "parked", "lag"] as const;
type Figures = Record<(typeof FIGURES)[number], number>;

/** What becomes of a message is written on it. */
const FATES = ["taken", "repeated", "refused", "fails", "fails-once", "waits"] as const;
type Fate = (typeof FATES)[number];
interface Told {
	id: string;
	fate: Fate;
}

const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

export const metricsSuite = (current: () => TopicLog) =>
	describe("a group's figures", () => {
		const brokers: ServiceBroker[] = [];
		afterEach(() => Promise.all(brokers.splice(0).map(broker => broker.stop())));

		const setUp = () => {
			const [topic, group] = [fresh("told"), fresh("group")];
			const contracts = {
				[topic]: { message: z.object({ id: z.string(), fate: z.enum(FATES) }), key: ({ id }: Told) => id }
			};
			const record = (fate: Fate, id = fresh(), partition = partitionOf(id, PARTITIONS)): Outgoing => ({
				topic,
				key: id,
				value: JSON.stringify({ id, fate }),
				partition
			});
			/** Messages whose handler came to its end, each time that it did. */
			const taken: string[] = [];
			const failed = new Set<string>();
			const world = { isAway: true };

			const judge = ({ id, fate }: Told) => {
				if (fate === "refused") throw new Errors.MoleculerClientError("no", 409, "CONFLICT");
				if (fate === "waits" && world.isAway) throw unavailable("the store");
				if (fate === "fails" || (fate === "fails-once" && !failed.has(id))) {
					failed.add(id);
					throw new TypeError("cannot read properties of undefined");
				}
			};
			/** All or nothing. Answers how many had been taken before. */
			const take = (messages: Told[]) => {
				messages.forEach(judge);
				const before = taken.length;
				taken.push(...messages.map(({ id }) => id));
				return { duplicates: messages.filter(({ id, fate }, n) => fate === "repeated" || taken.indexOf(id) < before + n).length };
			};
			const one = async ({ message }: Received<unknown>) => take([message as Told]);
			const batch = {
				batch: async ({ received }: { received: Received<unknown>[] }) => take(received.map(({ message }) => message as Told))
			};

			const start = async (handler: unknown) => {
				// Nobody else's log is closed with this broker.
				const log = { ...current(), close: async () => {} };
				const broker = new ServiceBroker({ nodeID: fresh("node"), logger: false, metrics: true });
				brokers.push(broker);
				const mixins = [topics(log, { contracts, partitions: PARTITIONS })];
				broker.createService({ name: group, mixins, topics: { [topic]: handler } } as unknown as ServiceSchema);
				await broker.start();
				return broker;
			};
			const figuresOf = async (broker: ServiceBroker) => {
				await updateMetrics(broker);
				const value = (name: string) =>
					(broker.metrics.getMetric(`topics.${name}`)?.snapshot()[0] as { value: number } | undefined)?.value ?? 0;
				return Object.fromEntries(FIGURES.map(name => [name, value(name)])) as Figures;
			};
			const committed = async () => sum((await current().committed(group, topic)).map(next => Math.max(next, 0)));
			const quiet = () =>
				eventually(async () => assert.equal(await committed(), sum(await current().ends(topic))), "all to be behind the group");
			const holds = ({ consumed, applied, duplicate, dead, parked }: Figures) =>
				assert.equal(consumed, applied + duplicate + dead + parked);
			return { topic, record, taken, world, one, batch, start, figuresOf, committed, quiet, holds };
		};

		for (const kind of ["one", "batch"] as const)
			it(`add up to what the log and the handler say, whatever becomes of a message, when handled ${kind === "one" ? "one by one" : "in batches"}`, async () => {
				const { topic, record, taken, world, start, figuresOf, committed, quiet, holds, ...handlers } = setUp();
				const broker = await start(handlers[kind]);
				await eventually(() => current().ends(topic), "the topic");
				const strange = fresh();
				const records = [
					...FATES.flatMap(fate => Array.from({ length: EACH }, () => record(fate))),
					...[0, 1, 2].map(partition => ({ ...record("taken"), value: "{", partition })),
					// On all partitions, two of which are not its own.
					...[0, 1, 2].map(partition => record("taken", strange, partition))
				];
				await current().append(records.sort(() => Math.random() - 0.5));
				await eventually(async () => {
					const figures = await figuresOf(broker);
					assert.ok(figures.parked > 0 && figures.lag > 0, JSON.stringify(figures));
				}, "messages to wait");
				world.isAway = false;
				await quiet();
				const figures = await figuresOf(broker);
				holds(figures);
				assert.deepEqual([figures.parked, figures.lag], [0, 0]);
				// What was handled while another key, or another half of its batch, waited or failed comes a second time.
				const isOnce = (id: string, n: number) => taken.indexOf(id) === n;
				assert.equal(figures.applied, taken.filter(isOnce).length - EACH, "each effect is counted once, and only that");
				assert.equal(figures.dead, sum(await current().ends(deadTopic(topic))));
				assert.equal(figures.dead, 2 * EACH + 3);
				assert.equal(figures.strays, 2);
				assert.ok(figures.consumed + figures.strays >= (await committed()), "a message was passed and not counted");
			});

		it("add up on both nodes, when a partition that waits goes to another", async () => {
			const { topic, record, world, one, start, figuresOf, committed, quiet, holds } = setUp();
			const first = await start(one);
			await eventually(() => current().ends(topic), "the topic");
			const records = Array.from({ length: 60 }, (_, n) => record(n % 2 ? "taken" : "waits"));
			await current().append(records);
			await eventually(async () => assert.ok((await figuresOf(first)).parked > 0), "messages to wait");
			const second = await start(one);
			await eventually(async () => assert.ok((await figuresOf(second)).parked > 0), "messages to wait at the second node");
			world.isAway = false;
			await quiet();
			const both = [await figuresOf(first), await figuresOf(second)];
			for (const figures of both) {
				holds(figures);
				assert.equal(figures.parked, 0);
			}
			const total = (name: keyof Figures) => sum(both.map(figures => figures[name]));
			assert.equal(total("applied"), 60);
			assert.ok(total("consumed") >= (await committed()));
		});
	});
