// The metrics of a group agree with the offsets of the log and with what its handlers saw, tested on a driver.
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
const METRICS = ["consumed", "applied", "duplicate", "dead", "strays", "parked", "lag"] as const;
type Metrics = Record<(typeof METRICS)[number], number>;

/** Each message says what happens to it. */
const FATES = ["handled", "repeated", "refused", "fails", "fails-once", "waits"] as const;
type Fate = (typeof FATES)[number];
interface Message {
	id: string;
	fate: Fate;
}

const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);

export const metricsSuite = (current: () => TopicLog) =>
	describe("the metrics of a group", () => {
		const brokers: ServiceBroker[] = [];
		afterEach(() => Promise.all(brokers.splice(0).map(broker => broker.stop())));

		const setUp = () => {
			const [topic, group] = [fresh("topic"), fresh("group")];
			const contracts = {
				[topic]: { message: z.object({ id: z.string(), fate: z.enum(FATES) }), key: ({ id }: Message) => id }
			};
			const record = (fate: Fate, id = fresh(), partition = partitionOf(id, PARTITIONS)): Outgoing => ({
				topic,
				key: id,
				value: JSON.stringify({ id, fate }),
				partition
			});
			/** The ids of handled messages, once for each time. */
			const handled: string[] = [];
			const failed = new Set<string>();
			const store = { isUnavailable: true };

			const check = ({ id, fate }: Message) => {
				if (fate === "refused") throw new Errors.MoleculerClientError("no", 409, "CONFLICT");
				if (fate === "waits" && store.isUnavailable) throw unavailable("the store");
				if (fate === "fails" || (fate === "fails-once" && !failed.has(id))) {
					failed.add(id);
					throw new TypeError("cannot read properties of undefined");
				}
			};
			/** Handles all or none. Returns how many had been handled before. */
			const handleAll = (messages: Message[]) => {
				messages.forEach(check);
				const before = handled.length;
				handled.push(...messages.map(({ id }) => id));
				return {
					duplicates: messages.filter(({ id, fate }, n) => fate === "repeated" || handled.indexOf(id) < before + n).length
				};
			};
			const one = async ({ message }: Received<unknown>) => handleAll([message as Message]);
			const batch = {
				batch: async ({ received }: { received: Received<unknown>[] }) =>
					handleAll(received.map(({ message }) => message as Message))
			};

			const start = async (handler: unknown) => {
				// The log is shared: stopping this broker must not close it.
				const log = { ...current(), close: async () => {} };
				const broker = new ServiceBroker({ nodeID: fresh("node"), logger: false, metrics: true });
				brokers.push(broker);
				const mixins = [topics(log, { contracts, partitions: PARTITIONS })];
				broker.createService({ name: group, mixins, topics: { [topic]: handler } } as unknown as ServiceSchema);
				await broker.start();
				return broker;
			};
			const metricsOf = async (broker: ServiceBroker) => {
				await updateMetrics(broker);
				const value = (name: string) =>
					(broker.metrics.getMetric(`topics.${name}`)?.snapshot()[0] as { value: number } | undefined)?.value ?? 0;
				return Object.fromEntries(METRICS.map(name => [name, value(name)])) as Metrics;
			};
			const committed = async () => sum((await current().committed(group, topic)).map(next => Math.max(next, 0)));
			const untilAllHandled = () =>
				eventually(async () => assert.equal(await committed(), sum(await current().ends(topic))), "all to be committed");
			const holds = ({ consumed, applied, duplicate, dead, parked }: Metrics) =>
				assert.equal(consumed, applied + duplicate + dead + parked);
			return { topic, record, handled, store, one, batch, start, metricsOf, committed, untilAllHandled, holds };
		};

		for (const kind of ["one", "batch"] as const)
			it(`agree with the log and the handler, whatever happens to a message, when handled ${kind === "one" ? "one by one" : "in batches"}`, async () => {
				const { topic, record, handled, store, start, metricsOf, committed, untilAllHandled, holds, ...handlers } = setUp();
				const broker = await start(handlers[kind]);
				await eventually(() => current().ends(topic), "the topic");
				const misrouted = fresh();
				const records = [
					...FATES.flatMap(fate => Array.from({ length: EACH }, () => record(fate))),
					...[0, 1, 2].map(partition => ({ ...record("handled"), value: "{", partition })),
					// On all partitions; two of them do not own its key.
					...[0, 1, 2].map(partition => record("handled", misrouted, partition))
				];
				await current().append(records.sort(() => Math.random() - 0.5));
				await eventually(async () => {
					const metrics = await metricsOf(broker);
					assert.ok(metrics.parked > 0 && metrics.lag > 0, JSON.stringify(metrics));
				}, "messages to wait");
				store.isUnavailable = false;
				await untilAllHandled();
				const metrics = await metricsOf(broker);
				holds(metrics);
				assert.deepEqual([metrics.parked, metrics.lag], [0, 0]);
				// A message that was handled while another key, or the other half of its batch, waited or failed is delivered a second time.
				const isOnce = (id: string, n: number) => handled.indexOf(id) === n;
				assert.equal(metrics.applied, handled.filter(isOnce).length - EACH, "each effect is counted once, and only that");
				assert.equal(metrics.dead, sum(await current().ends(deadTopic(topic))));
				assert.equal(metrics.dead, 2 * EACH + 3);
				assert.equal(metrics.strays, 2);
				assert.ok(metrics.consumed + metrics.strays >= (await committed()), "a message was committed and not counted");
			});

		it("agree on both nodes, when a partition that waits is reassigned", async () => {
			const { topic, record, store, one, start, metricsOf, committed, untilAllHandled, holds } = setUp();
			const first = await start(one);
			await eventually(() => current().ends(topic), "the topic");
			const records = Array.from({ length: 60 }, (_, n) => record(n % 2 ? "handled" : "waits"));
			await current().append(records);
			await eventually(async () => assert.ok((await metricsOf(first)).parked > 0), "messages to wait");
			const second = await start(one);
			await eventually(async () => assert.ok((await metricsOf(second)).parked > 0), "messages to wait at the second node");
			store.isUnavailable = false;
			await untilAllHandled();
			const both = [await metricsOf(first), await metricsOf(second)];
			for (const metrics of both) {
				holds(metrics);
				assert.equal(metrics.parked, 0);
			}
			const total = (name: keyof Metrics) => sum(both.map(metrics => metrics[name]));
			assert.equal(total("applied"), 60);
			assert.ok(total("consumed") >= (await committed()));
		});
	});
