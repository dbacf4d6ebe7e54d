import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Middleware, ServiceBroker, type ServiceSchema } from "moleculer";
import { z } from "zod";
import { eventually } from "../../test/client.ts";
import { checksOf } from "../health.ts";
import { createTopics } from "./create-topics.ts";
import type { Received } from "./handler-types.ts";
import { memoryLog } from "./memory-log.fixture.ts";
import type { TopicsOptions } from "./options.ts";
import { requireTopicsMixin } from "./require-mixin.ts";
import type { Headers, TailOptions } from "./topic-log.ts";
import { topics } from "./topics.ts";

const message = z.object({ id: z.string() });
const contract = { message, key: ({ id }: { id: string }) => id };
const options = { contracts: { created: contract }, partitions: 1 };

describe("the topics mixin", () => {
	const brokers: ServiceBroker[] = [];
	afterEach(() => Promise.all(brokers.splice(0).map(broker => broker.stop())));

	const createBroker = (middlewares: Middleware[] = []) => {
		const broker = new ServiceBroker({ logger: false, middlewares });
		brokers.push(broker);
		return broker;
	};
	const create = (broker: ServiceBroker, schema: object) => broker.createService(schema as ServiceSchema);

	it("refuses a service that consumes a topic of no contract, naming both", () => {
		const { log } = memoryLog();
		const schema = { name: "mailer", mixins: [topics(log, options)], topics: { creatd: async () => {} } };
		assert.throws(() => create(createBroker(), schema), /service "mailer" consumes topic "creatd".*known are created/);
	});

	it("refuses a handler that is none", () => {
		const { log } = memoryLog();
		const schema = { name: "mailer", mixins: [topics(log, options)], topics: { created: { handler() {} } } };
		assert.throws(() => create(createBroker(), schema), /the handler of topic "created" must be/);
	});

	it("refuses a topic that every node reads without a function for what it misses", () => {
		const { log } = memoryLog();
		const schema = { name: "screen", mixins: [topics(log, options)], topics: { created: { everyNode: true, async batch() {} } } };
		assert.throws(() => create(createBroker(), schema), /service "screen": topic "created" has everyNode.*"missed"/);
	});

	it("reads a topic of every node without the group, resolves once it does, and calls `missed` when messages were missed", async () => {
		const { log, subscriptions } = memoryLog();
		const [seen, opened]: [string[], TailOptions[]] = [[], []];
		const positioned = Promise.withResolvers<void>();
		let problem: string | undefined = "no positions yet";
		const tail = async (options: TailOptions) => {
			opened.push(options);
			return {
				positioned: positioned.promise,
				problem: () => problem,
				lag: () => ({}),
				stop: async () => void seen.push("stopped")
			};
		};
		const broker = createBroker();
		const contracts = { created: contract, shown: contract };
		const service = create(broker, {
			name: "screen",
			mixins: [topics({ ...log, tail }, { ...options, contracts })],
			topics: {
				async created() {},
				shown: {
					everyNode: true,
					async batch({ received }: { received: Received<{ id: string }>[] }) {
						seen.push(...received.map(one => one.message.id));
					},
					missed: () => void seen.push("missed")
				}
			}
		}) as unknown as { untilEveryNodeTopicsAreRead(): Promise<void> };
		await broker.start();
		const reads = service.untilEveryNodeTopicsAreRead().then(() => seen.push("reads"));
		await eventually(() => assert.equal(opened.length, 1), "the reader to be opened");
		assert.deepEqual(
			[subscriptions.map(one => one.topics), opened[0]!.topics, opened[0]!.name],
			[[["created"]], ["shown"], "screen"]
		);
		assert.equal((await checksOf(broker))["topics:screen"], "no positions yet");
		assert.deepEqual(seen, []);
		problem = undefined;
		positioned.resolve();
		await reads;
		assert.equal((await checksOf(broker))["topics:screen"], "ok");
		const record = {
			topic: "shown",
			partition: 0,
			offset: 0,
			key: null,
			value: Buffer.from('{"id":"1"}'),
			headers: {},
			timestampMs: 0
		};
		await opened[0]!.handler({
			topic: "shown",
			partition: 0,
			records: [record],
			endOffset: 1,
			first: true,
			isCurrent: () => true
		});
		opened[0]!.onMissed("shown");
		await broker.stop();
		assert.deepEqual(seen, ["reads", "1", "missed", "stopped"]);
	});

	it("rejects a message for a topic of no contract, naming it", async () => {
		const { log, appended } = memoryLog();
		const broker = createBroker();
		const service = create(broker, { name: "mailer", mixins: [topics(log, options)] }) as unknown as {
			publish(topic: string, message: object): Promise<void>;
		};
		await broker.start();
		for (const topic of ["creatd", "toString"])
			await assert.rejects(service.publish(topic, { id: "1" }), {
				type: "UNKNOWN_TOPIC",
				message: `topic "${topic}" is in no contract`
			});
		assert.deepEqual(appended, []);
	});

	it("publishes at once after the start, although its topics are still being created then", async () => {
		const { promise: creating, resolve } = Promise.withResolvers<void>();
		const { log, appended } = memoryLog(() => creating);
		const broker = createBroker();
		const service = create(broker, { name: "mailer", mixins: [topics(log, options)] }) as unknown as {
			publish(topic: string, message: object): Promise<void>;
		};
		await broker.start();
		const published = service.publish("created", { id: "1" });
		await setImmediate();
		const before = appended.length;
		resolve();
		await published;
		assert.deepEqual([before, appended.length], [0, 1]);
	});

	it("with usesLogAtStart: false creates its topics by the first publish, and checks nothing before", async () => {
		const calls: string[] = [];
		const { log, appended } = memoryLog(async () => void calls.push("create"));
		const check = async () => void calls.push("check");
		const broker = createBroker();
		const mixins = [topics({ ...log, check }, { ...options, usesLogAtStart: false })];
		const service = create(broker, { name: "command", mixins, topics: { created: async () => {} } }) as unknown as {
			publish(topic: string, message: object): Promise<void>;
		};
		await broker.start();
		await setImmediate();
		assert.deepEqual([calls, Object.keys(await checksOf(broker))], [[], []]);
		await service.publish("created", { id: "1" });
		assert.deepEqual([calls, appended.length], [["create"], 1]);
	});

	it("is ready only once its topics exist, and, if it consumes, once its consumer has an assignment", async () => {
		const { promise: creating, resolve } = Promise.withResolvers<void>();
		const { log } = memoryLog(() => creating);
		let problem: string | undefined = "no assignment yet";
		const consume = async () => ({ problem: () => problem, lag: () => ({}), stop: async () => {} });
		const mixins = [topics({ ...log, consume }, options)];
		const broker = createBroker();
		create(broker, { name: "consumer", mixins, topics: { created: async () => {} } });
		create(broker, { name: "publisher", mixins });
		const states = async () => {
			const { "topics:consumer": consumer, "topics:publisher": publisher } = await checksOf(broker);
			return [consumer, publisher];
		};
		assert.deepEqual(await states(), ["starting", "starting"]);
		await broker.start();
		assert.deepEqual(await states(), ["starting", "starting"]);
		resolve();
		await eventually(async () => assert.deepEqual(await states(), ["no assignment yet", "ok"]), "the topics to exist");
		problem = undefined;
		assert.deepEqual(await states(), ["ok", "ok"]);
	});

	it("calls onFatal when the topics cannot be used, and by default stops the broker", async () => {
		const failing = () => memoryLog(() => Promise.reject(new Error("3 partitions, not 12"))).log;
		const fatal: string[] = [];
		const broker = createBroker();
		create(broker, { name: "mailer", mixins: [topics(failing(), { ...options, onFatal: error => fatal.push(error.message) })] });
		await broker.start();
		await eventually(() => assert.deepEqual(fatal, ["3 partitions, not 12"]), "onFatal");
		assert.equal(broker.stopping, false);

		const stopped = createBroker();
		create(stopped, { name: "mailer", mixins: [topics(failing(), options)] });
		await stopped.start();
		await eventually(() => assert.equal(stopped.stopping, true), "the broker to stop");
	});

	it("lets onFatal stop the broker and wait for that", async () => {
		const failing = memoryLog(() => Promise.reject(new Error("3 partitions, not 12"))).log;
		const broker = createBroker();
		const stopped = Promise.withResolvers<void>();
		const onFatal = async () => broker.stop().then(stopped.resolve, stopped.reject);
		create(broker, { name: "mailer", mixins: [topics(failing, { ...options, onFatal })] });
		await broker.start();
		await stopped.promise;
	});

	it("wraps each handler once by the middlewares' hook handleTopicMessage", async () => {
		const { log } = memoryLog();
		const calls: unknown[] = [];
		const middleware = {
			handleTopicMessage(
				next: (received: Received<unknown>) => Promise<unknown>,
				{ topic, group, batch }: { topic: string; group: string; batch: boolean }
			) {
				calls.push(["wrapped", topic, group, batch]);
				return async (received: Received<unknown>) => {
					calls.push("before");
					await next(received);
					calls.push("after");
				};
			}
		};
		const broker = createBroker([middleware as unknown as Middleware]);
		const service = create(broker, {
			name: "mailer",
			mixins: [topics(log, { ...options, group: "post" })],
			topics: {
				async created(this: ServiceSchema, { message: { id } }: Received<{ id: string }>) {
					calls.push([this.name, id]);
				}
			}
		}) as unknown as { publish(topic: string, message: object): Promise<void> };
		await broker.start();
		await eventually(() => assert.equal(calls.length, 1), "the subscription");
		for (const id of ["1", "2"]) {
			await service.publish("created", { id });
			await eventually(() => assert.equal(calls.at(-1), "after"), "the handler");
			calls.push("done");
		}
		assert.deepEqual(calls, [
			["wrapped", "created", "post", false],
			...["1", "2"].flatMap(id => ["before", ["mailer", id], "after", "done"])
		]);
	});

	it("carries the listed keys of meta, and traceparent, to the calls of the handler", async () => {
		const { log, appended } = memoryLog();
		const seen: unknown[] = [];
		const broker = createBroker();
		const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
		create(broker, {
			name: "mail",
			actions: { send: ({ meta, requestID }: { meta: object; requestID: string }) => void seen.push([meta, requestID]) }
		});
		const mixins = [topics(log, { ...options, metaKeys: ["tenant", "missing"] })];
		const service = create(broker, {
			name: "mailer",
			mixins,
			topics: { created: ({ ctx }: Received<unknown>) => ctx.call("mail.send", {}, { meta: { own: true } }) }
		}) as unknown as { publish(topic: string, message: object, options: object): Promise<void> };
		await broker.start();
		const meta = { tenant: { id: "ключ" }, secret: "not listed", traceparent };
		await eventually(async () => {
			await service.publish("created", { id: "1" }, { requestID: "r1", meta });
			assert.ok(seen.length > 0);
		}, "the handler's call");
		assert.deepEqual(appended[0]!.headers, { "request-id": "r1", "meta-tenant": '{"id":"ключ"}', traceparent } satisfies Headers);
		assert.deepEqual(seen[0], [{ tenant: { id: "ключ" }, traceparent, own: true }, "r1"]);
	});
});

describe("createTopics", () => {
	const logOf = () => {
		const requests: string[][] = [];
		const { log } = memoryLog(async specs => void requests.push(specs.map(({ name }) => name)));
		return { log, requests };
	};
	const of = (...names: string[]): TopicsOptions => ({
		contracts: Object.fromEntries(names.map(name => [name, contract])),
		partitions: 1
	});

	it("creates the topics of every service that uses a log, each once", async () => {
		const { log, requests } = logOf();
		await Promise.all([createTopics(log, of("a")), createTopics(log, of("a")), createTopics(log, of("a", "b"))]);
		await createTopics(log, of("b"));
		assert.deepEqual(requests, [
			["a", "a.dead"],
			["b", "b.dead"]
		]);
	});

	it("asks again for another number of partitions, and after a failure", async () => {
		let fails = true;
		const requests: number[] = [];
		const { log } = memoryLog(async specs => {
			requests.push(specs[0]!.partitions);
			if (fails) throw new Error("no");
		});
		await assert.rejects(createTopics(log, of("a")));
		fails = false;
		await createTopics(log, of("a"));
		await createTopics(log, { ...of("a"), partitions: 7 });
		assert.deepEqual(requests, [1, 1, 7]);
	});
});

describe("requireTopicsMixin", () => {
	const mixin = topics(memoryLog().log, options);
	it("throws for topics, or this.publish, without the mixin", () => {
		assert.throws(
			() => requireTopicsMixin({ name: "a", topics: { t() {} } } as never),
			/service "a" uses topics \(t\) without the topics mixin/
		);
		const actions = {
			remind(this: { publish(topic: string): void }) {
				return this.publish("t");
			}
		};
		assert.throws(() => requireTopicsMixin({ name: "a", actions } as never), /service "a" uses this.publish without/);
		requireTopicsMixin({ name: "a", topics: { t() {} }, actions, mixins: [{ mixins: [mixin] }] } as never);
		requireTopicsMixin({ name: "a", actions: { echo: () => 1 } } as never);
	});
});
