// The promises about expired reservations when several nodes request, deduct and give back the same item at once.
import assert from "node:assert/strict";
import { it } from "node:test";
import {
	ask,
	clearExpired,
	held,
	id,
	isDone,
	levelOf,
	lockShow,
	MINUTE_MS,
	type Nodes,
	nothingBroken,
	openItem,
	passMs,
	touchShow,
	waitForLocks
} from "./reservation.fixture.ts";
import { type OnMoved, type Policy, type Reservations, reservations } from "./reservation.store.ts";

const unlessExpired = true;

export const staysExactInRaces = (nodes: () => Nodes) => {
	const askMinute = (holder: string, item: string) => ask(holder, item, MINUTE_MS);
	const heldAndExpired = async () => {
		const both = await held(nodes());
		await passMs(nodes().knex, MINUTE_MS);
		return both;
	};
	const missing = (item: string) => ({ refused: "OUT_OF_STOCK", missing: [{ item, requested: 1, available: 0 }] });

	it("lets one of two have an item whose reservation has expired, while it is also given back and deducted", async () => {
		const [one, two] = nodes().timed;
		for (let round = 0; round < 10; round++) {
			const [seat, ended] = await heldAndExpired();
			const [[first], [second], [deducted]] = await Promise.all([
				one.reserve([askMinute(id("hold"), seat)]),
				two.reserve([askMinute(id("hold"), seat)]),
				one.deduct([ended], { unlessExpired }),
				two.expire(),
				one.expire()
			]);
			assert.notEqual(isDone(first), isDone(second), "one winner");
			assert.deepEqual(isDone(first) ? second : first, missing(seat));
			assert.ok(deducted === "expired" || deducted === "given back", deducted);
			assert.deepEqual(await levelOf(nodes(), seat), [1, 1]);
		}
		await nothingBroken(nodes());
	});

	it("either deducts or gives back when the end comes meanwhile, and the next holder gets only what was given back", async () => {
		const {
			knex,
			timed: [one, two]
		} = nodes();
		for (let round = 0; round < 20; round++) {
			const [[seat, holder], next] = [await held(nodes()), id("hold")];
			const [[deducted], [reserved], expired] = await Promise.all([
				two.deduct([holder], { unlessExpired }),
				one.reserve([askMinute(next, seat)]),
				one.expire(),
				passMs(knex, MINUTE_MS)
			]);
			if (deducted === "deducted") {
				assert.deepEqual(reserved, missing(seat));
				assert.ok(!expired.includes(holder));
				assert.deepEqual(await levelOf(nodes(), seat), [0, 0]);
			} else {
				assert.ok(deducted === "expired" || deducted === "given back", deducted);
				assert.ok(isDone((await two.reserve([askMinute(next, seat)]))[0]), "it can be had from now on");
				assert.deepEqual(await levelOf(nodes(), seat), [1, 1]);
			}
		}
		await nothingBroken(nodes());
	});

	it("has one winner when 10,000 callers, in batches over two nodes, request an item whose reservation has expired", async () => {
		const { knex, timed } = nodes();
		const [seat, ended] = await heldAndExpired();
		const holders = Array.from({ length: 10_000 }, () => id("hold"));
		const batches = Array.from({ length: 20 }, (_, n) => holders.slice(500 * n, 500 * (n + 1)));
		const answers = (
			await Promise.all(batches.map((batch, n) => timed[n % 2]!.reserve(batch.map(holder => askMinute(holder, seat)))))
		).flat();
		const won = holders.filter((_, n) => isDone(answers[n]));
		assert.equal(won.length, 1);
		for (const answer of answers) if (!isDone(answer)) assert.deepEqual(answer, missing(seat));
		const loser = holders.find(holder => holder !== won[0])!;
		assert.deepEqual(await timed[1].deduct([ended, loser, ...won], { unlessExpired }), ["given back", "unknown", "deducted"]);
		assert.deepEqual(await levelOf(nodes(), seat), [0, 0]);
		const movements = await knex("stock_movements").where({ item: seat }).select("holder", "kind");
		assert.deepEqual(
			movements.map(({ holder, kind }) => `${holder} ${kind}`).sort(),
			["first stock open", `${ended} reserve`, `${ended} release`, `${won[0]} reserve`, `${won[0]} deduct`].sort()
		);
	});

	it("reserves what expires while the request is decided", async () => {
		const [one] = nodes().timed;
		const [seat] = await held(nodes());
		const policy: Policy = async trx => {
			await passMs(trx, MINUTE_MS);
			return () => undefined;
		};
		assert.ok(isDone((await one.reserve([askMinute(id("hold"), seat)], { policy }))[0]));
		assert.deepEqual(await levelOf(nodes(), seat), [1, 1]);
	});

	it("reserves what another node gives back right after the request was refused", async () => {
		const [one, two] = nodes().timed;
		const [seat] = await heldAndExpired();
		const sweeps: Promise<string[]>[] = [];
		const policy: Policy = async () => {
			if (sweeps.length === 0) {
				sweeps.push(two.expire());
				await waitForLocks(nodes(), 1);
			}
			return () => undefined;
		};
		assert.ok(isDone((await one.reserve([askMinute(id("hold"), seat)], { policy }))[0]));
		await Promise.all(sweeps);
		assert.deepEqual(await levelOf(nodes(), seat), [1, 1]);
	});

	it("reserves what becomes available while the request waits for the level", async () => {
		const [one, two] = nodes().timed;
		const [item, holder] = await held(nodes());
		const requests: ReturnType<Reservations["reserve"]>[] = [];
		const request = (quantity: number) => async () => {
			requests.push(two.reserve([{ holder: id("hold"), lines: [{ item, quantity }] }]));
			await waitForLocks(nodes(), 1);
		};
		await one.giveBack([holder], { onMoved: request(1) });
		assert.deepEqual(await requests[0], [{ done: "reserved" }], "what was given back");
		await one.set([{ holder: id("set"), item, stock: 5 }], { onMoved: request(4) });
		assert.deepEqual(await requests[1], [{ done: "reserved" }], "what was added");
		assert.deepEqual(await levelOf(nodes(), item), [5, 5]);
		await nothingBroken(nodes());
	});

	it("repeats what a deadlock has ended: a holder is inserted again for another item while another node changes it", async t => {
		const { knex, otherKnex, stores } = nodes();
		if (knex === otherKnex) return t.skip("one session has no deadlocks");
		const [one, two] = stores;
		const [item, other, holder] = [await openItem(nodes(), 1), await openItem(nodes(), 1), id("hold")];
		const deductions: Promise<string[]>[] = [];
		const policy: Policy = async (trx, requests) => {
			if (deductions.length > 0) return lockShow(trx, requests);
			await two.reserve([ask(holder, item)]);
			const decide = await lockShow(trx, requests);
			// It changes the holder and waits for the row; then the holder is inserted again, which waits for that change.
			deductions.push(two.deduct([holder], { onMoved: touchShow }));
			await waitForLocks(nodes(), 1);
			return decide;
		};
		assert.deepEqual(await one.reserve([ask(holder, other)], { policy }), [{ refused: "OTHER_LINES" }]);
		assert.deepEqual(await Promise.all(deductions), [["deducted"]]);
		assert.deepEqual(
			[await levelOf(nodes(), item), await levelOf(nodes(), other)],
			[
				[0, 0],
				[1, 0]
			]
		);
	});

	/** A node whose transactions began a minute ago. */
	const earlier = () => reservations(nodes().otherKnex, "stock", { now: "select time - interval '1 minute' from test_clock" });

	it("does not deduct what is given back while a deduction that began in time waits", async () => {
		await clearExpired(nodes());
		const [one] = nodes().timed;
		const [seat, ended] = await heldAndExpired();
		const deductions: Promise<string[]>[] = [];
		const onMoved: OnMoved = async () => {
			deductions.push(earlier().deduct([ended], { unlessExpired }));
			await waitForLocks(nodes(), 1);
		};
		assert.deepEqual(await one.expire({ onMoved }), [ended]);
		assert.deepEqual(await Promise.all(deductions), [["given back"]]);
		assert.deepEqual(await levelOf(nodes(), seat), [1, 0]);
	});

	it("neither gives back nor reserves what is being deducted in time", async () => {
		await clearExpired(nodes());
		const [one] = nodes().timed;
		const [seat, holder] = await heldAndExpired();
		const others: [Promise<string[]>, ReturnType<Reservations["reserve"]>][] = [];
		const onMoved: OnMoved = async () => {
			others.push([one.expire(), one.reserve([askMinute(id("hold"), seat)])]);
			await waitForLocks(nodes(), 2);
		};
		assert.deepEqual(await earlier().deduct([holder], { unlessExpired, onMoved }), ["deducted"]);
		const [expiring, reserving] = others[0]!;
		assert.deepEqual(await expiring, []);
		assert.deepEqual(await reserving, [missing(seat)]);
		assert.deepEqual(await levelOf(nodes(), seat), [0, 0]);
	});
};
