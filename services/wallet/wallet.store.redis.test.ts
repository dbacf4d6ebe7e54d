import assert from "node:assert/strict";
import { it } from "node:test";
import { modelRedis } from "../../test/simulation/redis.model.ts";
import { createScheduler } from "../../test/simulation/scheduler.ts";
import { redisBalances } from "./wallet.store.redis.ts";

/** A store on a model of Redis, and what a story about it needs. */
function world() {
	const scheduler = createScheduler(1);
	const redis = modelRedis(scheduler, { shouldInject: () => false, end() {}, isOver: true });
	const connection = redis.connect({ name: "node", isAlive: true, frozenUntilMs: 0 });
	let connected = Promise.withResolvers<void>();
	connection.onReconnect(() => connected.resolve());
	let committed = Promise.resolve([0]);
	const store = redisBalances(connection, () => committed);
	return {
		redis,
		store,
		connected: () => connected.promise,
		commit(offsets: Promise<number[]>) {
			committed = offsets;
		},
		restart(from: ReturnType<typeof redis.dump>) {
			connected = Promise.withResolvers();
			redis.restart(from);
		},
		async trusted() {
			for (;;) {
				const { generation, totalsCents } = await store.read(["ann"]);
				if (generation !== undefined) return { generation, cents: totalsCents[0] };
				await scheduler.step("asks again");
			}
		},
		raise: (user_id: string, seq: number, nextOffset: number) =>
			store.raise([{ user_id, seq, total_cents: seq * 100 }], { partition: 0, nextOffset }),
		async play(story: () => Promise<void>) {
			let isOver = false;
			const storyDone = story().finally(() => {
				isOver = true;
			});
			storyDone.catch(() => {});
			await scheduler.run(
				() => isOver,
				() => {},
				1_000
			);
			await storyDone;
		}
	};
}

it("does not use a Redis with an older dump even if a newer total was written before the check", () => {
	const { redis, store, connected, commit, restart, trusted, raise, play } = world();
	return play(async () => {
		await connected();
		const { generation } = await trusted();
		await raise("ann", 1, 1);
		await store.confirm([{ user_id: "ann", seq: 1, total_cents: 100 }], generation);
		const old = redis.dump();
		await raise("ann", 2, 2);
		assert.equal((await trusted()).cents, 200);

		const offsets = Promise.withResolvers<number[]>();
		commit(offsets.promise);
		restart(old);
		await connected();
		await raise("bob", 1, 3);
		offsets.resolve([2]);
		// The total is 200: it must come from Postgres.
		assert.equal((await trusted()).cents, undefined);
	});
});

it("does not use a Redis that lost what this process has stored and not committed yet: nothing delivers it again", () => {
	const { redis, store, connected, commit, restart, trusted, raise, play } = world();
	return play(async () => {
		await connected();
		const { generation } = await trusted();
		await raise("ann", 1, 1);
		await store.confirm([{ user_id: "ann", seq: 1, total_cents: 100 }], generation);
		commit(Promise.resolve([1]));
		const old = redis.dump();
		await raise("ann", 2, 2);
		restart(old);
		await connected();
		assert.equal((await trusted()).cents, undefined);
	});
});
