// What must be true of orders, money and stock when a history has ended.
import assert from "node:assert/strict";
import type { Knex } from "knex";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import type { bank } from "../payment/payment.testing.ts";
import type { Order, Status } from "./orders.contract.ts";
import { TRANSITIONS } from "./orders.machine.ts";
import type { FakeStock } from "./orders.testing.ts";

interface Logged {
	/** Of the outbox's row: the same for one that was sent twice. */
	id: string;
	// biome-ignore lint/suspicious/noExplicitAny: every topic has its own
	message: any;
	headers: Headers;
}

/** What outsiders have seen of a history. */
export interface Recorded {
	log: Map<string, Logged[]>;
	/** `key` 0: none was sent. */
	answers: { buyer: number; key: number; answer: Order; asked: { productId: string; quantity: number }[] }[];
	/** Orders of which somebody was told that they are cancelled. */
	cancelled: Set<string>;
	/** Orders whose failed payment came too late. */
	dead: string[];
}

interface End {
	knex: Knex;
	goods: FakeStock;
	money: ReturnType<typeof bank>;
	/** What was on the shelf. */
	initial: (readonly [string, number])[];
}

const ORDER_TOPICS = ["order.created", "order.updated", "order.shipped", "order.delivered", "order.cancelled"];

/** Every message of an order once, by its number; fails where a number is missing or told twice. */
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

/** Where the messages of an order lead, step by step. */
function statusTold(orderId: string, log: Recorded["log"]): Status {
	const [created, ...rest] = messagesOf(orderId, log);
	assert.equal(created?.topic, "order.created");
	let status: Status = created.message.status;
	for (let left = rest; left.length > 0; ) {
		const first = left[0]!;
		const to = first.topic === "order.cancelled" ? "cancelled" : first.message.status;
		const step = TRANSITIONS.find(one => one.from === status && one.to === to);
		assert.ok(step, `${orderId}: told of a step from ${status} to ${to}`);
		assert.deepEqual(
			left.slice(0, step.publishes.length).map(({ topic }) => topic),
			step.publishes
		);
		if (first.topic === "order.updated") assert.equal(first.message.previousStatus, status);
		status = to;
		left = left.slice(step.publishes.length);
	}
	return status;
}

function checkAnswers({ answers }: Recorded, stored: Set<string>) {
	const orderOf = new Map<string, Order>();
	for (const { buyer, key, answer, asked } of answers) {
		assert.ok(stored.has(answer.orderId), "an order was answered that is not there");
		assert.deepEqual(
			answer.items.map(({ productId, quantity }) => ({ productId, quantity })),
			asked
		);
		const name = key === 0 ? answer.orderId : `${buyer} ${key}`;
		assert.deepEqual(answer, orderOf.get(name) ?? answer, "one key, two orders");
		orderOf.set(name, answer);
	}
	const ids = [...orderOf.values()].map(({ orderId }) => orderId);
	assert.equal(new Set(ids).size, ids.length, "two keys, one order");
}

/** Fails where a promise is broken. */
export async function checkEnd(recorded: Recorded, { knex, goods, money, initial }: End) {
	const rows = await knex("orders").whereNot("status", "void");
	const payments = new Map((await knex("payments")).map(row => [row.order_id, row]));
	const stored = new Set<string>(rows.map(({ id }) => id));
	checkAnswers(recorded, stored);

	const outcomes = ["payment.succeeded", "payment.failed"].flatMap(topic => recorded.log.get(topic)!);
	for (const { id, status, paid_at, seq } of rows) {
		assert.equal(statusTold(id, recorded.log), status, `${id} is not what was told of it`);
		assert.equal(messagesOf(id, recorded.log).length, Number(seq));
		if (recorded.cancelled.has(id)) assert.equal(status, "cancelled", "whoever cancelled was told so");

		const { state } = payments.get(id)!;
		const [charge, refund] = [money.charges.get(id), money.refunds.get(id)];
		const told = new Set(outcomes.filter(({ message }) => message.orderId === id).map(one => one.id));
		assert.equal(told.size, state === "cancelled" ? 0 : 1, `${id}: ${state} was told ${told.size} times`);
		if (status === "cancelled") {
			assert.equal(charge, refund, `${id}: a cancelled order was charged ${charge} and given back ${refund}`);
			assert.ok(["failed", "refunded", "cancelled"].includes(state), state);
		} else if (state === "failed") {
			assert.equal(charge, undefined);
			assert.ok(recorded.dead.includes(id), `${id} is ${status}, and nobody was told that it is not paid`);
		} else {
			assert.deepEqual([state, typeof charge, refund], ["succeeded", "number", undefined]);
			assert.ok(paid_at, `${id} is not known to be paid`);
		}
		if (state === "cancelled") assert.ok(!money.asked.some(({ orderId }) => orderId === id), "asked for a cancelled order");
		const amounts = new Set(money.asked.filter(({ orderId }) => orderId === id).map(({ amountCents }) => amountCents));
		assert.ok(amounts.size <= 1, "asked for two amounts");
		assert.equal(goods.holds.get(id)?.state, status === "cancelled" ? "over" : "sold", `${id} is ${status}`);
	}
	for (const id of money.charges.keys()) assert.ok(stored.has(id), "charged for no order");
	for (const [id, { state }] of goods.holds) assert.ok(stored.has(id) || state === "over", `${id} is no order, and ${state}`);
	for (const [productId, before] of initial) {
		const { stock, reserved } = goods.shelf.get(productId)!;
		const sold = [...goods.holds.values()].reduce(
			(sum, { lines, state }) => sum + (state === "sold" ? (lines.get(productId) ?? 0) : 0),
			0
		);
		assert.deepEqual([stock + sold, reserved], [before, 0]);
	}
}
