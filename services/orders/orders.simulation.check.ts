// The promises about orders, payments and stock, checked at the end of a simulated history.
import assert from "node:assert/strict";
import type { Knex } from "knex";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import type { fakeProvider } from "../payment/payment.testing.ts";
import type { Order, Status } from "./orders.contract.ts";
import { TRANSITIONS } from "./orders.machine.ts";
import type { FakeStock } from "./orders.testing.ts";

interface Logged {
	/** The id of the outbox row: equal for a message that was sent twice. */
	id: string;
	// biome-ignore lint/suspicious/noExplicitAny: every topic has its own
	message: any;
	headers: Headers;
}

/** What clients and consumers have seen of a history. */
export interface Recorded {
	log: Map<string, Logged[]>;
	/** `key` 0: without an idempotency key. */
	answers: { buyer: number; key: number; answer: Order; items: { productId: string; quantity: number }[] }[];
	/** Orders whose cancellation was answered with success. */
	cancelled: Set<string>;
	/** Orders whose `payment.failed` came too late and was dead-lettered. */
	deadLettered: string[];
}

interface End {
	knex: Knex;
	stock: FakeStock;
	provider: ReturnType<typeof fakeProvider>;
	/** The stock of each product at the start. */
	initial: (readonly [string, number])[];
}

const ORDER_TOPICS = ["order.created", "order.updated", "order.shipped", "order.delivered", "order.cancelled"];

/** The messages of an order without duplicates, in the order of their numbers; fails if a number is missing or used twice. */
function messagesOf(orderId: string, log: Recorded["log"]) {
	const all = ORDER_TOPICS.flatMap(topic => (log.get(topic) ?? []).map(logged => ({ topic, ...logged })));
	const own = new Map(all.filter(({ message }) => message.orderId === orderId).map(logged => [logged.id, logged]));
	const sorted = [...own.values()].sort((one, other) => Number(one.headers.seq) - Number(other.headers.seq));
	assert.deepEqual(
		sorted.map(({ headers }) => Number(headers.seq)),
		sorted.map((_, n) => n + 1),
		`${orderId}: ${sorted.map(({ topic, headers }) => `${headers.seq} ${topic}`).join()}`
	);
	return sorted;
}

/** The status that results from an order's messages; fails if they contain an unknown transition. */
function publishedStatus(orderId: string, log: Recorded["log"]): Status {
	const [created, ...rest] = messagesOf(orderId, log);
	assert.equal(created?.topic, "order.created");
	let status: Status = created.message.status;
	for (let remaining = rest; remaining.length > 0; ) {
		const first = remaining[0]!;
		const to = first.topic === "order.cancelled" ? "cancelled" : first.message.status;
		const transition = TRANSITIONS.find(one => one.from === status && one.to === to);
		assert.ok(transition, `${orderId}: published a transition from ${status} to ${to}`);
		assert.deepEqual(
			remaining.slice(0, transition.publishes.length).map(({ topic }) => topic),
			transition.publishes
		);
		if (first.topic === "order.updated") assert.equal(first.message.previousStatus, status);
		status = to;
		remaining = remaining.slice(transition.publishes.length);
	}
	return status;
}

function checkAnswers({ answers }: Recorded, stored: Set<string>) {
	const orderOf = new Map<string, Order>();
	for (const { buyer, key, answer, items } of answers) {
		assert.ok(stored.has(answer.orderId), "an order was answered that is not stored");
		assert.deepEqual(
			answer.items.map(({ productId, quantity }) => ({ productId, quantity })),
			items
		);
		const placement = key === 0 ? answer.orderId : `${buyer} ${key}`;
		assert.deepEqual(answer, orderOf.get(placement) ?? answer, "one idempotency key, two orders");
		orderOf.set(placement, answer);
	}
	const ids = [...orderOf.values()].map(({ orderId }) => orderId);
	assert.equal(new Set(ids).size, ids.length, "two idempotency keys, one order");
}

/** Fails if a promise is broken. */
export async function checkEnd(recorded: Recorded, { knex, stock, provider, initial }: End) {
	const rows = await knex("orders").whereNot("status", "void");
	const payments = new Map((await knex("payments")).map(row => [row.order_id, row]));
	const stored = new Set<string>(rows.map(({ id }) => id));
	checkAnswers(recorded, stored);

	const outcomes = ["payment.succeeded", "payment.failed"].flatMap(topic => recorded.log.get(topic)!);
	for (const { id, status, paid_at, seq } of rows) {
		assert.equal(publishedStatus(id, recorded.log), status, `${id} is not what was published of it`);
		assert.equal(messagesOf(id, recorded.log).length, Number(seq));
		if (recorded.cancelled.has(id)) assert.equal(status, "cancelled", "a cancellation was answered with success");

		const { state } = payments.get(id)!;
		const [charge, refund] = [provider.charges.get(id), provider.refunds.get(id)];
		const published = new Set(outcomes.filter(({ message }) => message.orderId === id).map(one => one.id));
		assert.equal(published.size, state === "cancelled" ? 0 : 1, `${id}: ${state} was published ${published.size} times`);
		if (status === "cancelled") {
			assert.equal(charge, refund, `${id}: a cancelled order was charged ${charge} and refunded ${refund}`);
			assert.ok(["failed", "refunded", "cancelled"].includes(state), state);
		} else if (state === "failed") {
			assert.equal(charge, undefined);
			assert.ok(recorded.deadLettered.includes(id), `${id} is ${status} and unpaid, and no dead letter says so`);
		} else {
			assert.deepEqual([state, typeof charge, refund], ["succeeded", "number", undefined]);
			assert.ok(paid_at, `${id} is not marked as paid`);
		}
		if (state === "cancelled")
			assert.ok(!provider.requests.some(({ orderId }) => orderId === id), "the provider got a request for a cancelled order");
		const amounts = new Set(provider.requests.filter(({ orderId }) => orderId === id).map(({ amountCents }) => amountCents));
		assert.ok(amounts.size <= 1, "the provider got two amounts");
		assert.equal(stock.reservations.get(id)?.state, status === "cancelled" ? "released" : "sold", `${id} is ${status}`);
	}
	for (const id of provider.charges.keys()) assert.ok(stored.has(id), "charged an unknown order");
	for (const [id, { state }] of stock.reservations)
		assert.ok(stored.has(id) || state === "released", `${id} is no order, and ${state}`);
	for (const [productId, before] of initial) {
		const { stock: left, reserved } = stock.products.get(productId)!;
		const sold = [...stock.reservations.values()].reduce(
			(sum, { lines, state }) => sum + (state === "sold" ? (lines.get(productId) ?? 0) : 0),
			0
		);
		assert.deepEqual([left + sold, reserved], [before, 0]);
	}
}
