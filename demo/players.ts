// Simulated users: buyers pick, buy, list products, order and sometimes cancel, and hold seats; an admin moves orders on and restocks products.
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { playAtShow, replaceSoldOutShow } from "./players-of-seats.ts";
import { outcome, type Stage } from "./stage.ts";

interface Product {
	productId: string;
	stock: number;
}

const NAMES = ["Ada", "Blaise", "Carl", "Emmy", "Grace", "Kurt", "Mary", "Niels", "Rosa", "Sofia"];
const CANCELS_ONE_IN = 5;
const NEXT: Record<string, string> = { pending: "processing", processing: "shipped", shipped: "delivered" };
const RESTOCK_BELOW = 5;
const RESTOCK_BY = 20;

const oneOf = <T>(all: readonly T[]): T | undefined => all[randomInt(Math.max(all.length, 1))];

/** Repeats an action with random pauses until `signal` is aborted. */
async function repeatUntil(signal: AbortSignal, pauseMs: number, act: () => Promise<void>) {
	while (!signal.aborted) {
		await act();
		await delay(randomInt(pauseMs / 4, pauseMs), undefined, { signal }).catch(() => {});
	}
}

/** Picks one of the names, and makes a purchase. */
async function pickAndBuy({ client, count }: Stage, user_id: string) {
	const { json: selections } = await client.ask("GET", "/selections");
	const { name } = oneOf(selections as { name: string }[])!;
	count(outcome(await client.ask("POST", "/api/selections/async", { name, id: randomUUID(), user_id }), "picked"));
	const amount = randomInt(100, 5_000) / 100;
	count(outcome(await client.ask("POST", "/api/purchases", { id: randomUUID(), user_id, amount }), "bought"));
}

/** Registers an account, then picks, buys, orders, and holds seats. */
export async function playBuyer({ client, signal, count }: Stage) {
	const name = oneOf(NAMES)!;
	const credentials = { email: `${randomUUID()}@demo.example.org`, password: randomBytes(24).toString("base64url") };
	const registered = await client.register(credentials, name);
	count(outcome(registered, "registered"));
	if (registered.status >= 300) return;

	await repeatUntil(signal, 2_000, async () => {
		await pickAndBuy({ client, signal, count }, registered.json.user.id);
		await playAtShow({ client, signal, count });
		const { json: products } = await client.ask("GET", "/api/products?limit=200");
		count("looked at the products");
		const wanted = new Set(Array.from({ length: randomInt(1, 4) }, () => oneOf(products as Product[])));
		const items = [...wanted].flatMap(one => (one ? [{ productId: one.productId, quantity: randomInt(1, 4) }] : []));
		if (items.length === 0) return;
		const shippingAddress = { name, street: `${randomInt(1, 99)} Market Street`, city: "Athens" };
		const ordered = await client.ask("POST", "/api/orders", { items, shippingAddress }, randomUUID());
		count(outcome(ordered, "ordered"));
		if (ordered.status >= 300 || randomInt(CANCELS_ONE_IN) > 0) return;
		count(outcome(await client.ask("POST", `/api/orders/${ordered.json.orderId}/cancel`), "cancelled"));
	});
}

/** Moves orders to their next status, restocks products, and replaces a show that is sold out. The client must be signed in as an admin. */
export async function playAdmin({ client, signal, count }: Stage) {
	await repeatUntil(signal, 1_000, async () => {
		await replaceSoldOutShow({ client, signal, count });
		const { json: orders } = await client.ask("GET", "/api/orders?limit=100");
		const order = oneOf((orders as { orderId: string; status: string }[]).filter(({ status }) => status in NEXT));
		if (order) {
			const status = NEXT[order.status]!;
			count(outcome(await client.ask("PATCH", `/api/orders/${order.orderId}/status`, { status }), `marked as ${status}`));
		}
		const { json: products } = await client.ask("GET", "/api/products?limit=200");
		const low = oneOf((products as Product[]).filter(({ stock }) => stock < RESTOCK_BELOW));
		if (!low) return;
		const stock = low.stock + RESTOCK_BY;
		count(outcome(await client.ask("PATCH", `/api/inventory/${low.productId}`, { stock }), "restocked"));
	});
}
