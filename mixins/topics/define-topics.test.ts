// What must not compile is marked with @ts-expect-error: tsc fails on such a line if it compiles.
import assert from "node:assert/strict";
import { it } from "node:test";
import { ServiceBroker } from "moleculer";
import { z } from "zod";
import { eventually } from "../../test/client.ts";
import { defineTopics } from "./define-topics.ts";
import { memoryLog } from "./memory-log.fixture.ts";

const shop = defineTopics({
	"order.created": { message: z.object({ id: z.string(), total: z.number().default(0) }), key: order => order.id },
	"order.paid": { message: z.object({ id: z.string() }), key: ({ id }) => id, retentionMs: 60_000 }
});

it("gives handlers the type of their message, and publish that of its topic", async () => {
	const { log } = memoryLog();
	const seen: [string, number][] = [];
	const schema = shop.service({
		name: "mailer",
		mixins: [shop.mixin(log, { partitions: 1 })],
		topics: {
			async "order.created"({ message, ctx }) {
				// @ts-expect-error: a field that the message does not have
				void message.amount;
				this.note(message.id, message.total);
				await ctx.call("mailer.remind", { id: message.id });
			},
			"order.paid": {
				batch: async ({ received }) => {
					for (const { message } of received) message.id satisfies string;
				}
			}
		},
		actions: {
			create(ctx) {
				return this.publish("order.created", { id: ctx.params.id });
			},
			remind: {
				params: { id: "string" },
				handler() {
					this.logger.debug("reminded");
				}
			}
		},
		methods: {
			note(id: string, total: number) {
				seen.push([id, total]);
			}
		},
		started() {
			this.logger.debug("started");
		}
	});
	const broker = new ServiceBroker({ logger: false });
	broker.createService(schema);
	await broker.start();
	try {
		await eventually(async () => {
			await broker.call("mailer.create", { id: "1" });
			assert.ok(seen.length > 0);
		}, "the handler");
		assert.deepEqual(seen[0], ["1", 0]);
	} finally {
		await broker.stop();
	}
});

it("does not compile with a misspelt topic, a wrong message or a wrong key", () => {
	const { log } = memoryLog();
	const mixins = [shop.mixin(log, { partitions: 1 })];
	shop.service({
		name: "misspelt",
		mixins,
		actions: {
			async create() {
				// @ts-expect-error: no such topic
				await this.publish("order.creatd", { id: "1" });
				// @ts-expect-error: no such field
				await this.publish("order.paid", { id: "1", amount: 1 });
				// @ts-expect-error: a number is no id
				await this.publish("order.paid", { id: 1 });
			}
		}
	});
	shop.service({
		name: "misspelt",
		mixins,
		topics: {
			// @ts-expect-error: no such topic
			async "order.creatd"() {}
		}
	});
	defineTopics({
		// @ts-expect-error: a key of a field that the message does not have
		"order.created": { message: z.object({ id: z.string() }), key: order => order.number }
	});
});

it("throws when a service uses topics without the mixin", () => {
	assert.throws(() => shop.service({ name: "mailer", topics: { async "order.paid"() {} } }), /service "mailer" uses topics/);
});
