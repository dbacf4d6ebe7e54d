// The market page's modules that need no browser: which changes cause a notification, and which were known before.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, describe, it } from "node:test";

// The page's modules are plain JavaScript, served unchanged.
const load = (file: string) => import(new URL(`../public/js/${file}`, import.meta.url).href);
const { createOrderStore, stepsBetween } = await load("order-store.js");
const { createProductStore } = await load("product-store.js");
const { createLiveList, readList } = await load("live-list.js");

let notifications: string[];
beforeEach(() => {
	notifications = [];
});

describe("the page's order store", () => {
	const order = (n: number, status = "pending") => ({ orderId: `o${n}`, status, createdAt: new Date(n * 1_000).toISOString() });
	const newStore = () =>
		createOrderStore({
			onPlaced: ({ orderId }: { orderId: string }) => notifications.push(`${orderId} placed`),
			onStep: (orderId: string, status: string) => notifications.push(`${orderId} ${status}`),
			onChange: () => {}
		});
	const listed = (store: ReturnType<typeof newStore>) =>
		store.list().map(({ orderId, status }: { orderId: string; status: string }) => `${orderId} ${status}`);

	it("knows the steps between two statuses, none of which leads back", () => {
		for (const [from, to, steps] of [
			["pending", "delivered", ["processing", "shipped", "delivered"]],
			["processing", "cancelled", ["cancelled"]],
			["shipped", "shipped", []],
			["delivered", "pending", []],
			["shipped", "cancelled", []],
			["cancelled", "processing", []]
		] as const)
			assert.deepEqual(stepsBetween(from, to), steps, `${from} to ${to}`);
	});

	it("notifies of nothing in the first list, and of each later change once, from any source", () => {
		const store = newStore();
		store.read([order(2), order(1, "shipped")]);
		assert.deepEqual(notifications, []);
		for (let n = 0; n < 2; n++) {
			store.put(order(3));
			store.step("o3", "processing");
			store.put(order(3, "processing"));
			store.read([order(3, "processing"), order(2), order(1, "shipped")]);
			store.step("o1", "processing");
		}
		assert.deepEqual(notifications, ["o3 placed", "o3 processing"]);
		assert.deepEqual(listed(store), ["o3 processing", "o2 pending", "o1 shipped"]);
	});

	it("notifies of every step that was missed according to a new list, and of no late event", () => {
		const store = newStore();
		store.read([order(1)]);
		store.read([order(3), order(2, "cancelled"), order(1, "shipped")]);
		for (const late of ["processing", "shipped"]) store.step("o1", late);
		store.put(order(2));
		assert.deepEqual(notifications.sort(), ["o1 processing", "o1 shipped", "o2 placed", "o3 placed"]);
		assert.deepEqual(listed(store), ["o3 pending", "o2 cancelled", "o1 shipped"]);
	});

	it("does not notify of older orders, whether they are requested or part of a longer list", () => {
		const store = newStore();
		store.read([order(4)]);
		store.readMore([order(3)]);
		store.read([order(5), order(4), order(3), order(2), order(1)]);
		assert.deepEqual(notifications, ["o5 placed"]);
	});

	it("notifies once of a step of an order that it has not read", () => {
		const store = newStore();
		store.read([]);
		for (let n = 0; n < 2; n++) store.step("old", "shipped");
		assert.deepEqual([notifications, listed(store)], [["old shipped"], []]);
	});
});

describe("the page's product store", () => {
	const product = (n: number, stock: number) => ({ productId: `p${n}`, sku: `P-${n}`, stock });
	const newStore = () =>
		createProductStore({
			onNew: ({ productId }: { productId: string }) => notifications.push(`${productId} new`),
			onLow: ({ sku, stock }: { sku: string; stock: number }) => notifications.push(`${sku} ${stock} left`),
			onChange: () => {}
		});

	it("notifies once of a new product and of low stock, from any source", () => {
		const store = newStore();
		store.read([product(1, 12), product(2, 3)]);
		for (let n = 0; n < 2; n++) {
			store.put(product(3, 5));
			store.move(product(1, 9));
			store.low(product(1, 9));
			store.read([product(1, 9), product(2, 3), product(3, 5)]);
		}
		assert.deepEqual(notifications, ["p3 new", "P-1 9 left"]);
	});

	it("notifies again of low stock after the stock was refilled", () => {
		const store = newStore();
		store.read([product(1, 12)]);
		for (const stock of [9, 30, 9]) {
			store.move(product(1, stock));
			if (stock < 10) store.low(product(1, stock));
		}
		assert.deepEqual(notifications, ["P-1 9 left", "P-1 9 left"]);
	});

	it("notifies of changes that were missed according to a new list", () => {
		const store = newStore();
		store.read([product(1, 12), product(2, 40)]);
		store.read([product(1, 8), product(2, 20), product(3, 100)]);
		store.low(product(1, 8));
		assert.deepEqual(notifications, ["P-1 8 left", "p3 new"]);
	});
});

describe("the page's lists", () => {
	it("are read page by page until they have the requested length or are complete", async () => {
		const all = Array.from({ length: 450 }, (_, n) => ({ id: `i${n}` }));
		const asked: string[] = [];
		const get = async (path: string) => {
			asked.push(path);
			const { searchParams } = new URL(path, "http://localhost");
			const from = all.findIndex(({ id }) => id === searchParams.get("after")) + 1;
			return all.slice(from, from + Number(searchParams.get("limit")));
		};
		const idOf = ({ id }: { id: string }) => id;
		const some = await readList(get, "/list?", idOf, 200);
		assert.deepEqual([some.items.length, some.hasMore, asked], [200, true, ["/list?limit=200"]]);
		const every = await readList(get, "/list?", idOf, Number.POSITIVE_INFINITY);
		assert.deepEqual([every.items, every.hasMore], [all, false]);
		const rest = await readList(get, "/list?", idOf, 200, "i399");
		assert.deepEqual([rest.items.length, rest.hasMore], [50, false]);
	});

	it("apply events that arrive during a read after its result, and ignore the results of older reads", async () => {
		const answers = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
		const waiting = [...answers];
		const list = createLiveList({
			read: () => waiting.shift()!.promise,
			show: (answer: string) => notifications.push(answer),
			showProblem: () => {}
		});
		const first = list.readAgain();
		list.apply(() => notifications.push("event"));
		const second = list.readAgain();
		answers[1]!.resolve("second");
		await second;
		answers[0]!.resolve("first");
		await first;
		list.apply(() => notifications.push("event later"));
		assert.deepEqual(notifications, ["second", "event", "event later"]);
	});
});

describe("the pages", () => {
	it("have the same header, except for the mark of the current page", () => {
		const headers = ["index", "products", "orders", "shows", "admin", "admin-orders"].map(name => {
			const html = readFileSync(new URL(`../public/${name}.html`, import.meta.url), "utf8");
			const [header = ""] = /<header>.*<\/header>/s.exec(html) ?? [];
			assert.equal(header.match(/ aria-current="page"/g)?.length, 1, name);
			return header.replace(' aria-current="page"', "");
		});
		assert.equal(new Set(headers).size, 1);
		assert.match(headers[0] as string, /<nav /);
	});
});
