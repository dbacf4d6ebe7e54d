import assert from "node:assert/strict";
import { it } from "node:test";
import { type Context, ServiceBroker } from "moleculer";
import { unavailable } from "../../mixins/errors.ts";
import type { Redis } from "../../mixins/redis.ts";
import type { TopicRecord } from "../../mixins/topics/topic-log.ts";
import { eventually } from "../../test/client.ts";
import { noTopics } from "../../test/no-topics.ts";
import { backfill } from "./wallet.backfill.ts";
import { memoryBalances } from "./wallet.store.memory.ts";
import { wallet } from "./wallet.ts";

it("backfills all users of a page, also when the store accepts some of them only at the third attempt", async () => {
	const users = ["ann", "bob", "cy"];
	const bought = (user_id: string) => ({ seq: 1, total_cents: user_id.length });
	const memory = memoryBalances();
	let refusals = 2;
	const store = {
		...memory,
		async confirm(...given: Parameters<typeof memory.confirm>) {
			if (given[0].some(({ user_id }) => user_id === "bob") && refusals-- > 0) throw unavailable("Redis");
			await memory.confirm(...given);
		}
	};
	const record = (user: string, offset: number): TopicRecord => ({
		topic: "user_purchase",
		partition: 0,
		offset,
		key: Buffer.from(user),
		value: null,
		headers: {},
		timestampMs: 0
	});
	const records = users.map(record);
	const warmed: Record<string, string> = {};
	const client = {
		hgetall: async () => warmed,
		hset: async (_key: string, partition: number, to: string) => (warmed[partition] = to)
	};
	const log = {
		ends: async () => [records.length],
		read: async (_topic: string, _partition: number, from: number) => records.slice(from)
	};

	const broker = new ServiceBroker({ logger: false });
	/** The tests here call no topic handler. */
	const unused = { proofs: () => Promise.reject(new Error("no record is consumed here")) };
	broker.createService({
		name: "purchase",
		actions: { total: async (ctx: Context<{ user_id: string }>) => bought(ctx.params.user_id) }
	});
	const redis = { client } as unknown as Redis;
	broker.createService(wallet(store, unused, [noTopics, backfill(store, { redis, log, topic: "user_purchase", everyMs: 20 })]));
	await broker.start();
	try {
		await eventually(async () => {
			const { totalsCents } = await memory.read(users);
			assert.deepEqual(totalsCents, [3, 3, 2]);
		}, "all users to be backfilled");
	} finally {
		await broker.stop();
	}
});
