// The page's modules of the market that need no browser: what is news, and what was known already.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, describe, it } from "node:test";

// The pages are JavaScript without types, and served as they are.
const load = (file: string) => import(new URL(`../public/js/${file}`, import.meta.url).href);
const { createOrderStore, stepsBetween } = await load("order-store.js");
const { createProductStore } = await load("product-store.js");
const { createLiveList, readList } = await load("live-list.js");

let news: string[];
beforeEach(() => {
	news = [];
});

describe("the page's order book", () => {
	const order = (n: number, status = "pending") => ({ orderId: `o${n}`, status, createdAt: new Date(n * 1_000).toISOString() });
	const newBook = () =>
		createOrderStore({
			onPlaced: ({ orderId }: { orderId: string }) => news.push(`${orderId} placed`),
			onStep: (orderId: string, status: string) => news.push(`${orderId} ${status}`),
			onChange: () => {}
		});
	const shown = (book: ReturnType<typeof newBook>) =>
		book.list().map(({ orderId, status }: { orderId: string; status: string }) => `${orderId} ${status}`);

	it("knows the way of an order, and that it never leads back", () => {
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

	it("takes the first list for no news, and each change for one, whoever brings it and however often", () => {
		const book = newBook();
		book.read([order(2), order(1, "shipped")]);
		assert.deepEqual(news, []);
		for (let n = 0; n < 2; n++) {
			book.put(order(3));
			book.step("o3", "processing");
			book.put(order(3, "processing"));
			book.read([order(3, "processing"), order(2), order(1, "shipped")]);
			book.step("o1", "processing");
		}
		assert.deepEqual(news, ["o3 placed", "o3 processing"]);
		assert.deepEqual(shown(book), ["o3 processing", "o2 pending", "o1 shipped"]);
	});

	it("makes every step news that a list shows to have been missed, and none of what comes late", () => {
		const book = newBook();
		book.read([order(1)]);
		book.read([order(3), order(2, "cancelled"), order(1, "shipped")]);
		for (const late of ["processing", "shipped"]) book.step("o1", late);
		book.put(order(2));
		assert.deepEqual(news.sort(), ["o1 processing", "o1 shipped", "o2 placed", "o3 placed"]);
		assert.deepEqual(shown(book), ["o3 pending", "o2 cancelled", "o1 shipped"]);
	});

	it("takes older orders for no news, whether they are asked for or come with a longer list", () => {
		const book = newBook();
		book.read([order(4)]);
		book.readMore([order(3)]);
		book.read([order(5), order(4), order(3), order(2), order(1)]);
		assert.deepEqual(news, ["o5 placed"]);
	});

	it("tells a step of an order that it never read, once", () => {
		const book = newBook();
		book.read([]);
		for (let n = 0; n < 2; n++) book.step("old", "shipped");
		assert.deepEqual([news, shown(book)], [["old shipped"], []]);
	});
});

describe("the page's shelf", () => {
	const product = (n: number, stock: number) => ({ productId: `p${n}`, sku: `P-${n}`, stock });
	const newShelf = () =>
		createProductStore({
			onNew: ({ productId }: { productId: string }) => news.push(`${productId} new`),
			onLow: ({ sku, stock }: { sku: string; stock: number }) => news.push(`${sku} ${stock} left`),
			onChange: () => {}
		});

	it("tells of a new product and of little stock once, whoever brings it", () => {
		const shelf = newShelf();
		shelf.read([product(1, 12), product(2, 3)]);
		for (let n = 0; n < 2; n++) {
			shelf.put(product(3, 5));
			shelf.move(product(1, 9));
			shelf.low(product(1, 9));
			shelf.read([product(1, 9), product(2, 3), product(3, 5)]);
		}
		assert.deepEqual(news, ["p3 new", "P-1 9 left"]);
	});

	it("tells again when it has been filled up in between", () => {
		const shelf = newShelf();
		shelf.read([product(1, 12)]);
		for (const stock of [9, 30, 9]) {
			shelf.move(product(1, stock));
			if (stock < 10) shelf.low(product(1, stock));
		}
		assert.deepEqual(news, ["P-1 9 left", "P-1 9 left"]);
	});

	it("tells what a list shows to have been missed", () => {
		const shelf = newShelf();
		shelf.read([product(1, 12), product(2, 40)]);
		shelf.read([product(1, 8), product(2, 20), product(3, 100)]);
		shelf.low(product(1, 8));
		assert.deepEqual(news, ["P-1 8 left", "p3 new"]);
	});
});

describe("the page's lists", () => {
	it("are read page by page until there are as many as wanted, or no more", async () => {
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

	it("count what is told while they are read after what was read, and the newest reading alone", async () => {
		const answers = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
		const waiting = [...answers];
		const list = createLiveList({
			read: () => waiting.shift()!.promise,
			show: (answer: string) => news.push(answer),
			showProblem: () => {}
		});
		const first = list.readAgain();
		list.apply(() => news.push("told"));
		const second = list.readAgain();
		answers[1]!.resolve("second");
		await second;
		answers[0]!.resolve("first");
		await first;
		list.apply(() => news.push("told later"));
		assert.deepEqual(news, ["second", "told", "told later"]);
	});
});

describe("the pages", () => {
	it("have the same header, but for the mark of where one is", () => {
		const headers = ["index", "products", "orders", "admin", "admin-orders"].map(name => {
			const html = readFileSync(new URL(`../public/${name}.html`, import.meta.url), "utf8");
			const [header = ""] = /<header>.*<\/header>/s.exec(html) ?? [];
			assert.equal(header.match(/ aria-current="page"/g)?.length, 1, name);
			return header.replace(' aria-current="page"', "");
		});
		assert.equal(new Set(headers).size, 1);
		assert.match(headers[0] as string, /<nav /);
	});
});
