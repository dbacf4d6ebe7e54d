// A made-up history of orders and their payments: requests, consumers and a provider, whose every step waits for its turn, which may come late or be the
// one at which somebody dies. The services, their stores and their outboxes are the real ones; the topics are in memory, and tell things twice and late.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import type { Knex } from "knex";
import { type Service, ServiceBroker } from "moleculer";
import { unavailable } from "../../mixins/errors.ts";
import { type Outbox, outbox } from "../../mixins/outbox/outbox.ts";
import { noTopics } from "../../test/no-topics.ts";
import { topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { createCollector } from "../payment/payment.collector.ts";
import { sqlPayments } from "../payment/payment.store.ts";
import { bank } from "../payment/payment.testing.ts";
import { payment } from "../payment/payment.ts";
import type { Status } from "./orders.contract.ts";
import { checkEnd, type Recorded } from "./orders.simulation.check.ts";
import { sqlOrders } from "./orders.store.ts";
import { callAs, deliver, fakeStock, newIdentity, newProduct } from "./orders.testing.ts";
import { orders } from "./orders.ts";

type Fate = "answered" | "lost on the way" | "done, but the answer is lost";
export type Command =
	| { type: "create"; buyer: number; key: number; dear: boolean; quantity: number }
	| { type: "cancel"; order: number; byAdmin: boolean }
	| { type: "move"; order: number; to: Status }
	/** What an outbox holds leaves; a relay that dies before it has removed it sends it again. */
	| { type: "relay"; box: number; dies: boolean }
	/** One of two owners of a consumer's partition is handed so many records, from so far behind what was committed. */
	| { type: "deliver"; consumer: number; owner: number; back: number; records: number }
	| { type: "look" | "reconcile" | "time passes" }
	/** One of the steps that wait has its turn. */
	| { type: "turn"; which: number; fate: Fate };

const BUYERS = 2;
/** Of those that there are by then. */
const anOrder = fc.nat(5);
const fate = fc.oneof(
	{ weight: 8, arbitrary: fc.constant<Fate>("answered") },
	{ weight: 1, arbitrary: fc.constant<Fate>("lost on the way") },
	{ weight: 1, arbitrary: fc.constant<Fate>("done, but the answer is lost") }
);
const kind = <T extends string>(type: T) => ({ type: fc.constant(type) });
/** Forward more often than not, or nothing would ever be delivered. */
const to = fc.constantFrom<Status>("processing", "processing", "shipped", "shipped", "delivered", "cancelled", "pending");
const quantity = fc.integer({ min: 1, max: 2 });
const consumer = fc.nat(5);

export const commands: fc.Arbitrary<Command[]> = fc.array(
	fc.oneof(
		{
			weight: 3,
			arbitrary: fc.record({
				...kind("create"),
				buyer: fc.nat(BUYERS - 1),
				key: fc.nat(3),
				dear: fc.constantFrom(false, false, false, true),
				quantity
			})
		},
		{ weight: 1, arbitrary: fc.record({ ...kind("cancel"), order: anOrder, byAdmin: fc.boolean() }) },
		{ weight: 6, arbitrary: fc.record({ ...kind("move"), order: anOrder, to }) },
		{ weight: 3, arbitrary: fc.record({ ...kind("relay"), box: fc.nat(1), dies: fc.boolean() }) },
		{
			weight: 4,
			arbitrary: fc.record({
				...kind("deliver"),
				consumer,
				owner: fc.nat(1),
				back: fc.nat(3),
				records: fc.integer({ min: 1, max: 5 })
			})
		},
		{ weight: 2, arbitrary: fc.record(kind("look")) },
		{ weight: 1, arbitrary: fc.record({ type: fc.constantFrom("reconcile" as const, "time passes" as const) }) },
		{ weight: 20, arbitrary: fc.record({ ...kind("turn"), which: fc.nat(20), fate }) }
	),
	{ minLength: 30, maxLength: 200, size: "max" }
);

/** Lets everybody who can go on, go on. */
const settle = async () => {
	for (let n = 0; n < 8; n++) await turn();
};

/** The steps that wait for their turn. */
function gate() {
	const waiting: ((fate: Fate) => Promise<void>)[] = [];
	const pass = <T>(step: () => Promise<T>) =>
		new Promise<T>((resolve, reject) => {
			waiting.push(async fate => {
				if (fate === "lost on the way") return reject(unavailable("the other side"));
				try {
					const answer = await step();
					if (fate === "answered") resolve(answer);
					else reject(unavailable("the other side"));
				} catch (error) {
					reject(error);
				}
			});
		});
	const next = async (which: number, fate: Fate) => {
		const [one] = waiting.splice(which % Math.max(waiting.length, 1), 1);
		await one?.(fate);
		await settle();
	};
	const gated = <S extends object>(target: S): S =>
		new Proxy(target, {
			get: (_, name) => {
				const value = target[name as keyof S];
				return typeof value === "function" ? (...args: unknown[]) => pass(() => value.apply(target, args)) : value;
			}
		});
	return { pass, gated, next, isIdle: () => waiting.length === 0 };
}

const CONSUMERS = [
	["orders", "payment.succeeded"],
	["orders", "payment.failed"],
	["payment", "order.created"],
	["payment", "order.cancelled"],
	["inventory", "order.created"],
	["inventory", "order.cancelled"]
] as const;
const quiet = { debug() {}, info() {}, warn() {} };

/** Goes through a history and then lets it end well; fails where a promise is broken. The tables of both services are there, and nobody else's. */
export async function run(history: Command[], knex: Knex) {
	for (const table of ["orders", "payments", "orders_outbox", "payment_outbox"]) await knex(table).delete();
	const boxes = ["orders_outbox", "payment_outbox"].map(table => outbox(knex, { contracts: topics, table })) as [Outbox, Outbox];
	const { pass, gated, next, isIdle } = gate();
	const [cheap, dear] = [newProduct(10, 1_000), newProduct(2_000, 1_000)];
	const goods = fakeStock([cheap, dear]);
	goods.whenPicked = () => pass(async () => {});
	goods.whenReserved = () => pass(async () => {});
	const money = bank({ limitCents: 100_000 });
	const orderStore = gated(sqlOrders(knex, boxes[0]));
	const realPayments = sqlPayments(knex, boxes[1]);
	// No question is one node's alone for any time: the worst that a lease can do.
	const paymentStore = gated({ ...realPayments, take: (limit: number) => realPayments.claimDue(limit, 0) });

	const broker = new ServiceBroker({ logger: false });
	goods.createServices(broker);
	broker.createService(orders(orderStore, { timeoutMs: 600_000, mixins: [noTopics] }));
	broker.createService(payment(paymentStore, money.provider, { collects: false, mixins: [noTopics] }));
	await broker.start();
	const { look } = createCollector(paymentStore, gated(money.provider), quiet, () => {}, { pauseMs: { first: 0, longest: 0 } });

	const [buyers, admin] = [Array.from({ length: BUYERS }, () => newIdentity()), newIdentity("admin")];
	const recorded: Recorded = {
		log: new Map(CONSUMERS.map(([, topic]) => [topic, []])),
		answers: [],
		cancelled: new Set(),
		dead: []
	};
	const committed = CONSUMERS.map(() => 0);
	const busy = new Set<string>();
	const under: Promise<unknown>[] = [];
	/** Whoever asked is told what they may be told, and nothing else. */
	const ask = <T>(asked: Promise<T>, then: (answer: T) => void = () => {}) => {
		under.push(
			asked.then(then, (error: { type?: string; stack?: string }) =>
				assert.ok(["UNAVAILABLE", "BAD_TRANSITION", "CONFLICT", "OUT_OF_STOCK"].includes(error.type ?? ""), error.stack)
			)
		);
	};

	const relay = async (box: number, dies: boolean) => {
		const oldest = await boxes[box]!.next(5);
		for (const { id, record } of oldest) {
			const entry = { id: `${box}-${id}`, message: JSON.parse(String(record.value)), headers: record.headers ?? {} };
			if (!recorded.log.has(record.topic)) recorded.log.set(record.topic, []);
			recorded.log.get(record.topic)!.push(entry);
		}
		const left = oldest.map(({ id }) => id);
		if (!dies) await boxes[box]!.next(0, left);
		return oldest.length;
	};

	const handOver = async (index: number, owner: number, from: number, to: number) => {
		const [group, topic] = CONSUMERS[index]!;
		const messages = recorded.log
			.get(topic)!
			.slice(from, to)
			.map(({ message }) => message);
		const place = `${index} ${owner}`;
		if (messages.length === 0 || busy.has(place)) return;
		busy.add(place);
		try {
			if (group !== "inventory") await deliver(broker.getLocalService(group) as Service, topic, ...messages);
			else for (const { orderId } of messages) (topic === "order.created" ? goods.created : goods.end)(orderId);
		} catch (error) {
			const { type } = error as { type?: string };
			if (type === "UNAVAILABLE") return;
			// What is refused for good lies in the dead letters: of one at a time.
			assert.equal(type, "BAD_TRANSITION", (error as Error).stack);
			if (messages.length > 1) return;
			recorded.dead.push(messages[0].orderId);
		} finally {
			busy.delete(place);
		}
		committed[index] = Math.max(committed[index]!, from + messages.length);
	};

	const orderAt = async (n: number) => {
		const ids = await knex("orders").whereNot("status", "void").orderBy("number").pluck("id");
		return ids.length === 0 ? undefined : (ids[n % ids.length] as string);
	};
	const call = callAs(broker);

	const obey = async (command: Command) => {
		switch (command.type) {
			case "create": {
				const { buyer, key, quantity } = command;
				const items = [{ productId: (command.dear ? dear : cheap).productId, quantity }];
				// Key 0 is none.
				const asked = { items, shippingAddress: { street: "1" }, idempotencyKey: key === 0 ? undefined : `key-${key}` };
				const create: Caller["call"] = callAs(broker, buyers[buyer]);
				ask(create("orders.create", asked), answer => recorded.answers.push({ buyer, key, answer, asked: items }));
				break;
			}
			case "cancel": {
				const id = await orderAt(command.order);
				const { buyer_id } = id ? await knex("orders").where({ id }).first("buyer_id") : {};
				const by = command.byAdmin ? admin : buyers.find(one => one.id === buyer_id);
				if (id) ask(callAs(broker, by)("orders.cancel", { id }), () => recorded.cancelled.add(id));
				break;
			}
			case "move": {
				const id = await orderAt(command.order);
				if (id) ask(callAs(broker, admin)("orders.setStatus", { id, status: command.to }));
				break;
			}
			case "relay":
				await relay(command.box, command.dies);
				break;
			case "deliver": {
				const from = Math.max(0, committed[command.consumer]! - command.back);
				under.push(handOver(command.consumer, command.owner, from, from + command.records));
				break;
			}
			case "look":
				ask(look());
				break;
			case "reconcile":
				ask(goods.reconcile(call));
				break;
			case "time passes":
				ask(orderStore.cancelUnpaid(0, 2));
				break;
			case "turn":
				await next(command.which, command.fate);
		}
		await settle();
	};

	const drain = async () => {
		for (let step = 0; !isIdle(); step++) await next(step * 7, "answered");
	};
	const isOver = async () => {
		const waiting = await Promise.all(boxes.map(box => box.next(1)));
		const read = CONSUMERS.every(([, topic], index) => committed[index] === recorded.log.get(topic)!.length);
		const open = await knex("payments").whereIn("state", ["pending", "charging", "stopping", "refunding"]).first();
		return isIdle() && read && !open && waiting.flat().length === 0;
	};

	for (const command of history) await obey(command);
	await drain();
	for (let round = 0; !(await isOver()); round++) {
		assert.ok(round < 200, "it does not end");
		for (const box of [0, 1]) await relay(box, false);
		for (const [index, from] of committed.entries()) under.push(handOver(index, 2, from, from + 1));
		ask(look());
		await settle();
		await drain();
	}
	ask(goods.reconcile(call));
	await settle();
	await drain();
	await Promise.all(under);
	await broker.stop();

	await checkEnd(recorded, { knex, goods, money, initial: [cheap, dear].map(({ productId }) => [productId, 1_000] as const) });
}
