// The promises about policies: the caller's own rule about new holders, decided under the locks.
import assert from "node:assert/strict";
import { it } from "node:test";
import { ask, held, id, levelOf, MINUTE_MS, type Nodes, nothingBroken, openItem, passMs } from "./reservation.fixture.ts";
import type { Movement } from "./reservation.rules.ts";
import type { Policy } from "./reservation.store.ts";

export const policies = (nodes: () => Nodes) => {
	it("calls the policy about new holders only, with those reserved before in the batch, and leaves no trace of a refused one", async () => {
		const {
			knex,
			stores: [one, two]
		} = nodes();
		const item = await openItem(nodes(), 9);
		const [known, refused, first, second] = [id("holder"), id("holder"), id("holder"), id("holder")];
		await one.reserve([ask(known, item)]);
		const requested: string[][] = [];
		const asked: [string, string[]][] = [];
		const policy: Policy = async (_, requests) => {
			requested.push(requests.map(({ holder }) => holder));
			return ({ holder }, reserved) => {
				asked.push([holder, reserved.map(before => before.holder)]);
				return holder === refused ? "TOO_MANY" : undefined;
			};
		};
		const moved: Movement[] = [];
		const onMoved = async (_: unknown, movements: Movement[]) => void moved.push(...movements);
		const requests = [known, refused, first, second, first].map(holder => ask(holder, item));
		assert.deepEqual(await two.reserve(requests, { policy, onMoved }), [
			{ done: "again" },
			{ refused: "NOT_ALLOWED", reason: "TOO_MANY" },
			{ done: "reserved" },
			{ done: "reserved" },
			{ done: "again" }
		]);
		assert.deepEqual(requested, [[refused, first, second, first]]);
		assert.deepEqual(asked, [
			[refused, []],
			[first, []],
			[second, [first]]
		]);
		assert.deepEqual(
			moved.map(({ holder }) => holder),
			[first, second]
		);
		for (const table of ["stock_holders", "stock_movements"])
			assert.deepEqual(await knex(table).where({ holder: refused }), [], table);
		assert.deepEqual(await levelOf(nodes(), item), [9, 3]);
		assert.deepEqual(await one.reserve([ask(refused, item)]), [{ done: "reserved" }], "a later request may be allowed");
		await nothingBroken(nodes());
	});

	it("does not call the policy when every holder is known", async () => {
		const [one] = nodes().stores;
		const item = await openItem(nodes(), 9);
		const holder = id("holder");
		await one.reserve([ask(holder, item)]);
		const policy = async () => assert.fail("called");
		assert.deepEqual(await one.reserve([ask(holder, item)], { policy }), [{ done: "again" }]);
	});

	it("refuses by the policy before it looks for stock, and frees nothing for a refused holder", async () => {
		const {
			knex,
			timed: [one]
		} = nodes();
		const [seat] = await held(nodes());
		await passMs(knex, MINUTE_MS);
		const policy: Policy = async () => () => "NO";
		assert.deepEqual(await one.reserve([ask(id("hold"), seat)], { policy }), [{ refused: "NOT_ALLOWED", reason: "NO" }]);
		assert.deepEqual(await levelOf(nodes(), seat), [1, 1]);
	});

	it("calls the policy again about a request that is decided a second time", async () => {
		const {
			knex,
			timed: [one]
		} = nodes();
		const [[seat], free] = [await held(nodes()), await openItem(nodes(), 1)];
		await passMs(knex, MINUTE_MS);
		const [winner, other] = [id("hold"), id("hold")];
		const requested: string[][] = [];
		const policy: Policy = async (_, requests) => {
			requested.push(requests.map(({ holder }) => holder));
			return () => undefined;
		};
		const answers = await one.reserve([ask(winner, seat), ask(other, free)], { policy });
		assert.deepEqual(answers, [{ done: "reserved" }, { done: "reserved" }]);
		assert.deepEqual(requested, [[winner, other], [winner]]);
	});

	it("changes nothing when the policy fails", async () => {
		const [one] = nodes().stores;
		const item = await openItem(nodes(), 9);
		const holder = id("holder");
		const failures: Policy[] = [
			async () => Promise.reject(new Error("no answer")),
			async () => () => {
				throw new Error("no answer");
			}
		];
		for (const policy of failures) await assert.rejects(one.reserve([ask(holder, item)], { policy }), /no answer/);
		assert.deepEqual(await levelOf(nodes(), item), [9, 0]);
		assert.deepEqual(await one.reserve([ask(holder, item)]), [{ done: "reserved" }]);
	});

	it("decides again after a deadlock, and gives up after three more times", async () => {
		const [one] = nodes().stores;
		const item = await openItem(nodes(), 9);
		let left = 3;
		let calls = 0;
		const policy: Policy = async () => {
			calls++;
			if (left-- > 0) throw Object.assign(new Error("deadlock detected"), { code: "40P01" });
			return () => undefined;
		};
		assert.deepEqual(await one.reserve([ask(id("holder"), item)], { policy }), [{ done: "reserved" }]);
		assert.equal(calls, 4);
		left = 100;
		await assert.rejects(one.reserve([ask(id("holder"), item)], { policy }), { code: "40P01" });
		assert.equal(calls, 8);
		assert.deepEqual(await levelOf(nodes(), item), [9, 1]);
	});

	it("calls the policy while the levels are locked", async () => {
		const {
			knex,
			otherKnex,
			stores: [one]
		} = nodes();
		const item = await openItem(nodes(), 9);
		let unlocked: unknown[] | undefined;
		const policy: Policy = async trx => {
			// One session has no other one to exclude.
			const session = knex === otherKnex ? trx : otherKnex;
			unlocked = await session("stock_levels").where({ item }).forUpdate().skipLocked();
			return () => undefined;
		};
		await one.reserve([ask(id("holder"), item)], { policy });
		assert.equal(unlocked?.length, knex === otherKnex ? 1 : 0);
	});

	it("keeps a limit for each buyer over all nodes, when the policy locks what it counts", async () => {
		const { stores } = nodes();
		const buyers = [id("buyer"), id("buyer")];
		const items = await Promise.all(Array.from({ length: 40 }, () => openItem(nodes(), 1)));
		const buyerOf = (holder: string) => holder.split(" ")[0]!;
		const policy: Policy = async (trx, requests) => {
			await trx("test_shows").forUpdate();
			const counts = new Map<string, number>();
			for (const buyer of new Set(requests.map(({ holder }) => buyerOf(holder)))) {
				const [row] = await trx("stock_holders").where("holder", "like", `${buyer}%`).count();
				counts.set(buyer, Number(row!.count));
			}
			return ({ holder }, reserved) => {
				const before = reserved.filter(one => buyerOf(one.holder) === buyerOf(holder)).length;
				return counts.get(buyerOf(holder))! + before >= 3 ? "TOO_MANY" : undefined;
			};
		};
		const requests = items.map((item, n) => ask(`${buyers[n % 2]} ${n}`, item, 60_000));
		const batches = Array.from({ length: 20 }, (_, n) => requests.slice(2 * n, 2 * n + 2));
		batches.unshift(requests.slice(0, 12), requests.slice(12, 40));
		await Promise.all(batches.map((batch, n) => stores[n % 2]!.reserve(batch, { policy })));
		for (const buyer of buyers) {
			const [row] = await nodes().knex("stock_holders").where("holder", "like", `${buyer}%`).count();
			assert.equal(Number(row!.count), 3, "holders of one buyer");
		}
		await nothingBroken(nodes());
	});
};
