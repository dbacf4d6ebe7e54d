// Calls between nodes over a real Kafka, also after it was gone.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Context, Loggers, ServiceBroker } from "moleculer";
import { eventually, fresh } from "../test/client.ts";
import { type KafkaServer, kafkaServer } from "./topics/kafka/kafka.fixture.ts";
import { KafkaTransporter } from "./transporter.ts";

/** A busy machine may take this long to bring Kafka back. */
const RECOVERY_MS = 90_000;

/** Keeps what a person would be told. */
class Kept extends Loggers.Base<object> {
	readonly #said: string[];

	constructor(said: string[]) {
		super();
		this.#said = said;
	}

	override getLogHandler() {
		return (level: string, args: unknown[]) =>
			void (["warn", "error", "fatal"].includes(level) && this.#said.push(args.join(" ")));
	}
}

describe("Moleculer over Kafka", () => {
	let server: KafkaServer;
	const namespace = fresh("test");
	const brokers: ServiceBroker[] = [];

	/** A node with a service of its own name; it is not started yet. */
	const node = (nodeID: string, said: string[] = []) => {
		const broker = new ServiceBroker({
			namespace,
			nodeID,
			transporter: new KafkaTransporter({ brokers: server.brokers, replication: 1, advice: "start it" }),
			requestTimeout: 5_000,
			logger: new Kept(said)
		});
		broker.createService({
			name: nodeID,
			actions: { echo: (ctx: Context<object>) => ctx.params },
			events: { "news.**": (ctx: Context) => void heard.push(`${nodeID}: ${ctx.eventName}`) }
		});
		brokers.push(broker);
		return broker;
	};
	const heard: string[] = [];
	let one: ServiceBroker;
	let other: ServiceBroker;
	const saidByOne: string[] = [];

	before(async () => {
		server = await kafkaServer();
		one = node("one", saidByOne);
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

	it("carries an event to every node, and an answer of two megabytes", async () => {
		await one.broadcast("news.today");
		await eventually(() => assert.deepEqual(heard.sort(), ["one: news.today", "other: news.today"]), "both nodes to hear");
		const text = "x".repeat(2_000_000);
		assert.deepEqual(await one.call("other.echo", { text }), { text });
	});

	it("leaves a stopped node out at once, and takes it back in under the same name", async () => {
		await other.stop();
		await eventually(() => assert.equal(one.registry.hasService("other", "other"), false), "the node to be gone");
		other = node("other");
		await other.start();
		await one.waitForServices("other", 30_000);
		await bothCall();
	});

	it("refuses a call while Kafka is gone, says so once, and hears again when it is back", async () => {
		await server.kill();
		await eventually(() => assert.ok(saidByOne.some(line => line.includes("Kafka is lost"))), "the loss to be noticed");
		await assert.rejects(one.call("other.echo", {}), ({ retryable }) => retryable === true);
		await server.start();
		await eventually(bothCall, "calls both ways", RECOVERY_MS);
		const losses = saidByOne.filter(line => line.includes("Kafka is lost"));
		assert.deepEqual(losses, losses.slice(0, 1));
	});

	it("waits for a Kafka that is away at the start, in one line that says where and what to do, and then finds the others", async () => {
		await server.kill();
		const said: string[] = [];
		const late = node("late", said);
		const starting = late.start();
		await eventually(() => assert.ok(said.length > 0), "the line");
		await server.start();
		await starting;
		await eventually(() => late.call("one.echo", {}), "the new node's call", RECOVERY_MS);
		await eventually(() => one.call("late.echo", {}), "a call to the new node", RECOVERY_MS);
		assert.match(said[0]!, new RegExp(`kafka .*${server.brokers[0]}.*ECONNREFUSED.*: start it`));
	});
});
