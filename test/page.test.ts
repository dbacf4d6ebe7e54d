// The page's modules that need no browser: amounts, ids, and the outbox of unacknowledged picks and purchases.
import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";

// The page's modules are plain JavaScript, served unchanged.
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
	it("accept the usual forms of an amount", () => {
		const typed = { "49.99": 49.99, " 1 ": 1, "0,01": 0.01, ".5": 0.5, "5.": 5, "1000000.00": 1_000_000, "007": 7 };
		for (const [text, amount] of Object.entries(typed)) assert.deepEqual(parseAmount(text), { amount }, text);
	});

	it("report an error for any other input, and never parse it as another amount", () => {
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

	it("are random UUIDs, also without crypto.randomUUID, which browsers offer only on secure origins", t => {
		const ids = [freshId()];
		Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
		t.after(() => Reflect.deleteProperty(crypto, "randomUUID"));
		for (let n = 0; n < 1000; n++) ids.push(freshId());
		for (const id of ids) assert.match(id, UUID);
		assert.equal(new Set(ids).size, ids.length);
	});
});

describe("the page's outbox", () => {
	/** The storage that the tabs share. */
	let stored: Map<string, Item>;
	beforeEach(() => {
		stored = new Map();
	});

	/** One tab: its outbox, the items that it sent, and the server's answers. */
	const tab = (answer: (item: Item) => Promise<unknown>, limit = 100) => {
		const sent: Item[] = [];
		const settled: { item: Item; refusal?: Error }[] = [];
		let removedElsewhere = (_: string) => {};
		const outbox = createOutbox({
			store: {
				load: () => [...stored.values()],
				save: (item: Item) => stored.set(item.id, item),
				remove: (id: string) => stored.delete(id),
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
	const failToConnect = async () => Promise.reject(new Unavailable("no network"));
	const nextTick = () => new Promise(setImmediate);

	it("retries with the same id and a growing backoff until the item is acknowledged", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		let reachable = false;
		const { outbox, sent, settled } = tab(() => (reachable ? Promise.resolve() : failToConnect()));
		outbox.add({ name: "a" });
		for (let seconds = 0; seconds < 120; seconds++) {
			await nextTick();
			t.mock.timers.tick(1000);
		}
		// Let the attempt of the last second fail before the clock moves on.
		await nextTick();
		assert.ok(sent.length >= 8 && sent.length <= 24, `${sent.length} attempts in two minutes`);
		assert.equal(outbox.isFailing(), true);
		assert.equal(stored.size, 1);
		reachable = true;
		t.mock.timers.tick(15_000);
		await nextTick();
		assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
		assert.deepEqual([settled.length, settled[0]?.refusal, stored.size, outbox.isFailing()], [1, undefined, 0, false]);
	});

	it("waits for the time in Retry-After, even if the connection is restored earlier", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		const answers = [Promise.reject(new Unavailable("slow down", 60_000)), Promise.resolve()];
		const { outbox, sent } = tab(() => answers.shift() as Promise<unknown>);
		outbox.add({ name: "a" });
		await nextTick();
		t.mock.timers.tick(59_999);
		outbox.resume();
		await nextTick();
		assert.equal(sent.length, 1);
		t.mock.timers.tick(1_000);
		await nextTick();
		assert.equal(sent.length, 2);
	});

	it("retries at once, without waiting for the backoff, when the connection is restored", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		const answers = [failToConnect(), Promise.resolve()];
		const { outbox, sent } = tab(() => answers.shift() as Promise<unknown>);
		outbox.add({ name: "a" });
		await nextTick();
		outbox.resume();
		assert.equal(sent.length, 2);
		await nextTick();
	});

	it("does not retry a refused item", async () => {
		const { outbox, sent, settled } = tab(async () => Promise.reject(new Refused("no such name")));
		outbox.add({ name: "z" });
		await nextTick();
		assert.deepEqual(
			[sent.length, settled[0]?.refusal?.message, stored.size, outbox.waiting().length],
			[1, "no such name", 0, 0]
		);
	});

	it("refuses further items when its limit is reached", async () => {
		const never = mock.fn(() => new Promise(() => {}));
		const { outbox, sent } = tab(never, 3);
		assert.deepEqual(
			["a", "b", "c", "d"].map(name => outbox.add({ name })),
			[true, true, true, false]
		);
		assert.equal(stored.size, 3);
		assert.equal(sent.length, 2);
	});

	it("sends the items of a closed tab, and drops items that another tab has completed", async () => {
		const gone = tab(() => new Promise(() => {}));
		for (const name of ["a", "b", "c"]) gone.outbox.add({ name });
		const ids = [...stored.keys()];
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

	it("starts nothing after stop, completes the requests in flight without a callback, and leaves the other items in the store", async t => {
		t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
		const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
		const { outbox, sent, settled } = tab(({ name }) => answers[name === "a" ? 0 : 1]!.promise);
		for (const name of ["a", "b", "c"]) outbox.add({ name });
		outbox.stop();
		answers[0]!.resolve(undefined);
		answers[1]!.reject(new Unavailable("no network"));
		await nextTick();
		t.mock.timers.tick(60_000);
		await nextTick();
		assert.deepEqual([sent.length, settled.length], [2, 0]);
		assert.deepEqual(
			Array.from(stored.values(), ({ name }) => name),
			["b", "c"]
		);
	});
});
