// The page's modules that need no browser: what it does with amounts, and with what was not acknowledged.
import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";

// The page is JavaScript without types, and served as it is.
const load = (file: string) => import(new URL(`../public/js/${file}`, import.meta.url).href);
const { parseAmount } = await load("amount.js");
const { freshId } = await load("id.js");
const { createOutbox } = await load("outbox.js");
const { Refused, Unavailable } = await load("retry.js");

interface Item {
	id: string;
	name?: string;
	addedAtMs: number;
}

describe("the page's amounts", () => {
	it("reads what people type", () => {
		const typed = { "49.99": 49.99, " 1 ": 1, "0,01": 0.01, ".5": 0.5, "5.": 5, "1000000.00": 1_000_000, "007": 7 };
		for (const [text, amount] of Object.entries(typed)) assert.deepEqual(parseAmount(text), { amount }, text);
	});

	it("says what is wrong with anything else, and never reads it as another amount", () => {
		for (const text of [
			"",
			" ",
			".",
			"abc",
			"1e3",
			"0x10",
			"٣",
			"1 000",
			"1,000",
			"1.000,00",
			"1,2,3",
			"0",
			"0.00",
			"-1",
			"0.001",
			"1000000.01",
			"Infinity"
		])
			assert.equal(typeof parseAmount(text).problem, "string", text);
	});
});

describe("the page's ids", () => {
	const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

	it("are random UUIDs, also where the browser offers none because the page came over plain HTTP", t => {
		const ids = [freshId()];
		Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
		t.after(() => Reflect.deleteProperty(crypto, "randomUUID"));
		for (let n = 0; n < 1000; n++) ids.push(freshId());
		for (const id of ids) assert.match(id, UUID);
		assert.equal(new Set(ids).size, ids.length);
	});
});

describe("the page's outbox", () => {
	/** What several tabs have in common. */
	let kept: Map<string, Item>;
	beforeEach(() => {
		kept = new Map();
	});

	/** One tab: its outbox, what it sent, and how the other side answers. */
	const tab = (answer: (item: Item) => Promise<unknown>, limit = 100) => {
		const sent: Item[] = [];
		const settled: { item: Item; refusal?: Error }[] = [];
		let removedElsewhere = (_: string) => {};
		const outbox = createOutbox({
			store: {
				load: () => [...kept.values()],
				save: (item: Item) => kept.set(item.id, item),
				remove: (id: string) => kept.delete(id),
				onRemoved: (callback: typeof removedElsewhere) => {
					removedElsewhere = callback;
					return () => {};
				}
			},
			send: (item: Item) => {
				sent.push(item);
				return answer(item);
			},
			concurrency: 2,
			limit,
			onSettled: (item: Item, refusal?: Error) => settled.push({ item, refusal }),
			onChange: () => {}
		});
		return { outbox, sent, settled, removedElsewhere: (id: string) => removedElsewhere(id) };
	};
	const away = async () => Promise.reject(new Unavailable("no network"));
	const turn = () => new Promise(setImmediate);

	it("sends again under the same id, less and less often, until it is acknowledged", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		let reachable = false;
		const { outbox, sent, settled } = tab(() => (reachable ? Promise.resolve() : away()));
		outbox.add({ name: "a" });
		for (let seconds = 0; seconds < 120; seconds++) {
			await turn();
			t.mock.timers.tick(1000);
		}
		// An attempt of the last second has failed by then, and not only when the clock has moved on.
		await turn();
		assert.ok(sent.length >= 8 && sent.length <= 24, `${sent.length} attempts in two minutes`);
		assert.equal(outbox.isFailing(), true);
		assert.equal(kept.size, 1);
		reachable = true;
		t.mock.timers.tick(15_000);
		await turn();
		assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
		assert.deepEqual([settled.length, settled[0]?.refusal, kept.size, outbox.isFailing()], [1, undefined, 0, false]);
	});

	it("leaves the server alone for as long as it asked, even when the connection is back before", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		const answers = [Promise.reject(new Unavailable("slow down", 60_000)), Promise.resolve()];
		const { outbox, sent } = tab(() => answers.shift() as Promise<unknown>);
		outbox.add({ name: "a" });
		await turn();
		t.mock.timers.tick(59_999);
		outbox.resume();
		await turn();
		assert.equal(sent.length, 1);
		t.mock.timers.tick(1_000);
		await turn();
		assert.equal(sent.length, 2);
	});

	it("does not wait for its own backoff when the connection is back", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		const answers = [away(), Promise.resolve()];
		const { outbox, sent } = tab(() => answers.shift() as Promise<unknown>);
		outbox.add({ name: "a" });
		await turn();
		outbox.resume();
		assert.equal(sent.length, 2);
		await turn();
	});

	it("takes a refusal as the last word", async () => {
		const { outbox, sent, settled } = tab(async () => Promise.reject(new Refused("no such name")));
		outbox.add({ name: "z" });
		await turn();
		assert.deepEqual([sent.length, settled[0]?.refusal?.message, kept.size, outbox.waiting().length], [1, "no such name", 0, 0]);
	});

	it("keeps no more than its limit, and says so", async () => {
		const never = mock.fn(() => new Promise(() => {}));
		const { outbox, sent } = tab(never, 3);
		assert.deepEqual(
			["a", "b", "c", "d"].map(name => outbox.add({ name })),
			[true, true, true, false]
		);
		assert.equal(kept.size, 3);
		assert.equal(sent.length, 2);
	});

	it("sends what a tab that is gone has left behind, and drops what another has brought to its end", async () => {
		const gone = tab(() => new Promise(() => {}));
		for (const name of ["a", "b", "c"]) gone.outbox.add({ name });
		const ids = [...kept.keys()];
		const { outbox, sent, removedElsewhere } = tab(() => new Promise(() => {}));
		outbox.resume();
		assert.deepEqual(
			outbox.waiting().map(({ id }: Item) => id),
			ids
		);
		assert.deepEqual(
			sent.map(({ id }) => id),
			ids.slice(0, 2)
		);
		removedElsewhere(ids[2] as string);
		assert.deepEqual(
			outbox.waiting().map(({ id }: Item) => id),
			ids.slice(0, 2)
		);
	});

	it("says and starts nothing more once it is stopped, brings what is under way to its end, and leaves the rest in the store", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
		const { outbox, sent, settled } = tab(({ name }) => answers[name === "a" ? 0 : 1]!.promise);
		for (const name of ["a", "b", "c"]) outbox.add({ name });
		outbox.stop();
		answers[0]!.resolve(undefined);
		answers[1]!.reject(new Unavailable("no network"));
		await turn();
		t.mock.timers.tick(60_000);
		await turn();
		assert.deepEqual([sent.length, settled.length], [2, 0]);
		assert.deepEqual(
			Array.from(kept.values(), ({ name }) => name),
			["b", "c"]
		);
	});
});
