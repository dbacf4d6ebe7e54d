// Load generator for orders and cancellations. Its records verify that each order exists once in the expected state, and that all stock is correct.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type Answer, eventually, fresh, httpClient } from "../client.ts";
import { forEachConcurrently } from "../ledger.ts";
import { any } from "../load-generator.ts";
import { psql } from "../outside.ts";
import type { System } from "../system.ts";
import { mint, newAccount } from "../tokens.ts";

export interface OrderEntry {
	key: string;
	buyer: string;
	productId: string;
	quantity: number;
	/** Set when the order is acknowledged. */
	orderId?: string;
	soldOut?: boolean;
	cancel?: "asked" | "acknowledged";
}

interface Product {
	productId: string;
	stock: number;
}

/** An order of the expensive product exceeds the test provider's limit, so its payment fails. The system must be started with this. */
export const ORDER_LOAD_ENV = { PAYMENT_TEST_LIMIT: "1000" };
const EXPENSIVE_PRICE = 2000;
const BUYERS = 12;
const PAUSE_MS = 50;
/** Token lifetime, longer than the whole run. */
const TOKEN_MS = 7_200_000;

export async function createOrderLoad(system: System, { workers, thinkMs }: { workers: number; thinkMs: number }) {
	const entries: OrderEntry[] = [];
	const unexpectedAnswers: string[] = [];
	const products: Product[] = [];
	const bearer = async (id: string, role: "user" | "admin" = "user") => [
		id,
		{ authorization: `Bearer ${await mint(id, { role, endsInMs: TOKEN_MS })}` }
	];
	const [, admin] = (await bearer(newAccount(), "admin")) as [string, Record<string, string>];
	const buyers = new Map<string, Record<string, string>>(
		(await Promise.all(Array.from({ length: BUYERS }, () => bearer(newAccount())))) as [string, Record<string, string>][]
	);
	let acknowledged = 0;
	let running = false;
	let clients: Promise<void>[] = [];

	async function stock(stock: number, price: number): Promise<Product> {
		const asked = { name: "Oil", description: "x", price, sku: fresh("sku"), stock };
		const { json, text } = await httpClient(system.url).post("/api/products", asked, admin);
		assert.ok(json?.productId, text);
		products.push({ productId: json.productId, stock });
		return products.at(-1) as Product;
	}
	const plenty = await stock(1_000_000, 5);
	const expensive = await stock(1_000_000, EXPENSIVE_PRICE);
	let scarce: Product;

	const post = (path: string, body: object | undefined, headers: Record<string, string>) =>
		httpClient(any(system.urls))
			.post(path, body, headers)
			.catch(() => undefined);

	/** Returns the answer if it has an expected status; undefined if the outcome is unknown or unexpected. */
	const expected = (answer: Answer | undefined, ...statuses: number[]) => {
		if (answer === undefined || answer.status === 503) return undefined;
		if (statuses.includes(answer.status) && (answer.status !== 409 || answer.json.type === "OUT_OF_STOCK")) return answer;
		unexpectedAnswers.push(`${answer.status} ${answer.text}`);
		return undefined;
	};

	/** Places an order, for the first time or as a retry. Resolves to false if the outcome is unknown. */
	async function place(entry: OrderEntry): Promise<boolean> {
		const body = { items: [{ productId: entry.productId, quantity: entry.quantity }], shippingAddress: { city: "Athens" } };
		const headers = { ...buyers.get(entry.buyer), "idempotency-key": entry.key };
		const answer = expected(await post("/api/orders", body, headers), 201, 409);
		if (!answer) return false;
		if (answer.status === 409) {
			if (entry.orderId) unexpectedAnswers.push(`${entry.orderId} is out of stock in a retry`);
			entry.soldOut = true;
			return true;
		}
		if (!entry.orderId) acknowledged++;
		else if (entry.orderId !== answer.json.orderId)
			unexpectedAnswers.push(`${entry.orderId} became ${answer.json.orderId} in a retry`);
		entry.orderId = answer.json.orderId;
		entry.soldOut = false;
		return true;
	}

	async function cancel(entry: OrderEntry): Promise<boolean> {
		const answer = expected(await post(`/api/orders/${entry.orderId}/cancel`, undefined, buyers.get(entry.buyer) ?? {}), 200);
		if (answer && entry.cancel !== "acknowledged") acknowledged++;
		entry.cancel = answer ? "acknowledged" : "asked";
		return answer !== undefined;
	}

	async function shop(): Promise<void> {
		while (running) {
			const { productId } = any([plenty, plenty, plenty, expensive, scarce]);
			const entry: OrderEntry = { key: fresh("order"), buyer: any([...buyers.keys()]), productId, quantity: any([1, 2, 3]) };
			entries.push(entry);
			const answered = await place(entry);
			if (entry.orderId && Math.random() < 0.3) await cancel(entry);
			await delay(answered ? Math.random() * thinkMs : PAUSE_MS);
		}
	}

	const isExpensive = ({ productId }: OrderEntry) => productId === expensive.productId;
	const isCancelled = (entry: OrderEntry) => entry.cancel === "acknowledged" || isExpensive(entry);

	/** Every order in the two tables: id → order status and payment state. */
	async function stored(): Promise<Map<string, string>> {
		const buyerIDs = [...buyers.keys()].map(buyer => `'${buyer}'`).join();
		const rows = await psql(
			`select id, status, state from orders left join payments on order_id = id where orders.buyer_id in (${buyerIDs})`
		);
		return new Map(rows.map(([id, status, state]) => [id as string, `${status} ${state}`]));
	}

	/** The allowed states. A cancelled order may have been charged before. */
	const wanted = (entry: OrderEntry) => {
		if (isExpensive(entry)) return /^cancelled (failed|cancelled)$/;
		return isCancelled(entry) ? /^cancelled (refunded|cancelled)$/ : /^pending succeeded$/;
	};

	async function verify() {
		const orders = await stored();
		const known = entries.filter(({ orderId }) => orderId);
		const lost = known.filter(({ orderId }) => !orders.has(orderId as string));
		assert.deepEqual(lost, [], `${lost.length} acknowledged orders are lost`);
		const ids = new Set(known.map(({ orderId }) => orderId));
		const extra = [...orders.keys()].filter(id => !ids.has(id));
		assert.deepEqual([ids.size, extra], [known.length, []], "orders exist twice");
		const wrong = known.filter(entry => !wanted(entry).test(orders.get(entry.orderId as string) as string));
		const [first] = wrong.map(entry => `${JSON.stringify(entry)} is ${orders.get(entry.orderId as string)}`);
		assert.equal(wrong.length, 0, `${wrong.length} orders are in a wrong state: ${first}`);

		await forEachConcurrently(products, async ({ productId, stock }) => {
			const kept = known.filter(entry => entry.productId === productId && !isCancelled(entry));
			const left = stock - kept.reduce((sum, { quantity }) => sum + quantity, 0);
			const { json } = await httpClient(system.url).get(`/api/inventory/${productId}`);
			assert.deepEqual([json.stock, json.reserved], [left, 0], `the stock of ${productId}`);
		});
		const { json } = await httpClient(system.url).get("/api/inventory", admin);
		assert.deepEqual(json.broken, [], "products with inconsistent stock");
	}

	return {
		entries,
		acknowledged: () => acknowledged,
		async startLoad() {
			scarce = await stock(20, 3);
			running = true;
			clients = Array.from({ length: workers }, shop);
		},
		async stopLoad() {
			running = false;
			await Promise.all(clients);
		},
		/** Retries unanswered operations and some answered ones, with the same keys. */
		async retryAll(timeoutMs?: number) {
			const again = (asked: (entry: OrderEntry) => Promise<boolean>) => (entry: OrderEntry) =>
				eventually(
					async () => assert.ok(await asked(entry), unexpectedAnswers.at(-1)),
					`${JSON.stringify(entry)} to be answered`,
					timeoutMs
				);
			const placed = entries.filter(({ orderId }) => orderId);
			const open = entries.filter(({ orderId, soldOut }) => !orderId && !soldOut);
			await forEachConcurrently([...open, ...placed.slice(0, 10), ...placed.slice(-10)], again(place));
			const cancelling = entries.filter(one => one.cancel === "asked");
			const cancelled = entries.filter(one => one.cancel === "acknowledged");
			await forEachConcurrently([...cancelling, ...cancelled.slice(0, 5), ...cancelled.slice(-5)], again(cancel));
		},
		async verify(timeoutMs?: number) {
			await eventually(verify, "every order to exist once in its expected state, and all stock to be correct", timeoutMs);
			assert.deepEqual(unexpectedAnswers, []);
		}
	};
}

export type OrderLoad = Awaited<ReturnType<typeof createOrderLoad>>;
