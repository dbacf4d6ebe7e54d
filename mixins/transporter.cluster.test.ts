// Calls between nodes over a real Kafka, also after an outage.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Context, Loggers, ServiceBroker } from "moleculer";
import { eventually, fresh } from "../test/client.ts";
import { type KafkaServer, kafkaServer } from "./topics/kafka/kafka.fixture.ts";
import { KafkaTransporter } from "./transporter.ts";

/** A busy machine may take this long to bring Kafka back. */
const RECOVERY_MS = 90_000;

/** Collects warnings and errors. */
class CollectingLogger extends Loggers.Base<object> {
	readonly #lines: string[];

	constructor(lines: string[]) {
		super();
		this.#lines = lines;
	}

	override getLogHandler() {
		return (level: string, args: unknown[]) =>
			void (["warn", "error", "fatal"].includes(level) && this.#lines.push(args.join(" ")));
	}
}

describe("Moleculer over Kafka", () => {
	let server: KafkaServer;
	const namespace = fresh("test");
	const brokers: ServiceBroker[] = [];

	/** A node with a service of its own name; it is not started yet. */
	const node = (nodeID: string, lines: string[] = []) => {
		const broker = new ServiceBroker({
			namespace,
			nodeID,
			transporter: new KafkaTransporter({ brokers: server.brokers, replication: 1, advice: "start it" }),
			requestTimeout: 5_000,
			logger: new CollectingLogger(lines)
		});
		broker.createService({
			name: nodeID,
			actions: { echo: (ctx: Context<object>) => ctx.params },
			events: { "news.**": (ctx: Context) => void received.push(`${nodeID}: ${ctx.eventName}`) }
		});
		brokers.push(broker);
		return broker;
	};
	const received: string[] = [];
	let one: ServiceBroker;
	let other: ServiceBroker;
	const linesOfOne: string[] = [];

	before(async () => {
		server = await kafkaServer();
		one = node("one", linesOfOne);
		other = node("other");
		await Promise.all([one.start(), other.start()]);
		await Promise.all([one.waitForServices("other", 30_000), other.waitForServices("one", 30_000)]);
	});
	after(async () => {
		await Promise.allSettled(brokers.map(broker => broker.stop()));
		await server?.remove();
	});

	const bothCall = async () => {
		assert.deepEqual(await one.call("other.echo", { text: "ключ" }), { text: "ключ" });
		assert.deepEqual(await other.call("one.echo", { n: 1 }), { n: 1 });
	};

	it("lets nodes call each other, many at once", async () => {
		await bothCall();
		const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => one.call("other.echo", { n })));
		assert.deepEqual(
			answers,
			Array.from({ length: 500 }, (_, n) => ({ n }))
		);
	});

	it("carries an event to every node, and a response of two megabytes", async () => {
		await one.broadcast("news.today");
		await eventually(
			() => assert.deepEqual(received.sort(), ["one: news.today", "other: news.today"]),
			"both nodes to receive it"
		);
		const text = "x".repeat(2_000_000);
		assert.deepEqual(await one.call("other.echo", { text }), { text });
	});

	it("removes a stopped node at once, and adds it again under the same name", async () => {
		await other.stop();
		await eventually(() => assert.equal(one.registry.hasService("other", "other"), false), "the node to be gone");
		other = node("other");
		await other.start();
		await one.waitForServices("other", 30_000);
		await bothCall();
	});

	it("rejects a call while Kafka is unavailable, logs that once, and works again when it is back", async () => {
		await server.kill();
		await eventually(
			() => assert.ok(linesOfOne.some(line => line.includes("lost the connection to Kafka"))),
			"the loss to be noticed"
		);
		await assert.rejects(one.call("other.echo", {}), ({ retryable }) => retryable === true);
		await server.start();
		await eventually(bothCall, "calls both ways", RECOVERY_MS);
		const losses = linesOfOne.filter(line => line.includes("lost the connection to Kafka"));
		assert.deepEqual(losses, losses.slice(0, 1));
	});

	it("waits for a Kafka that is unavailable at start, logs one line that says where and what to do, and then finds the other nodes", async () => {
		await server.kill();
		const lines: string[] = [];
		const late = node("late", lines);
		const starting = late.start();
		await eventually(() => assert.ok(lines.length > 0), "the line");
		await server.start();
		await starting;
		await eventually(() => late.call("one.echo", {}), "the new node's call", RECOVERY_MS);
		await eventually(() => one.call("late.echo", {}), "a call to the new node", RECOVERY_MS);
		assert.match(lines[0]!, new RegExp(`kafka .*${server.brokers[0]}.*ECONNREFUSED.*: start it`));
	});
});
