// A random history of orders and their payments: requests, consumers and a payment provider. Every step waits until the history lets it run: it may run
// late, fail, or lose its answer. Services, stores and outboxes are the real ones; the topics are in memory, and deliver late and more than once.
import assert from "node:assert/strict";
import { setImmediate as tick } from "node:timers/promises";
import fc from "fast-check";
import type { Knex } from "knex";
import { type Service, ServiceBroker } from "moleculer";
import { unavailable } from "../../mixins/errors.ts";
import { type Outbox, outbox } from "../../mixins/outbox/outbox.ts";
import type { Outgoing } from "../../mixins/topics/topic-log.ts";
import { noTopics } from "../../test/no-topics.ts";
import { topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { createCollector } from "../payment/payment.collector.ts";
import { sqlPayments } from "../payment/payment.store.ts";
import { fakeProvider } from "../payment/payment.testing.ts";
import { payment } from "../payment/payment.ts";
import type { Status } from "./orders.contract.ts";
import { sweepOrphanedReservations } from "./orders.orphaned-reservations.ts";
import { checkEnd, type Recorded } from "./orders.simulation.check.ts";
import { sqlOrders } from "./orders.store.ts";
import { callAs, deliver, fakeStock, newIdentity, newProduct } from "./orders.testing.ts";
import { orders } from "./orders.ts";

type Fate = "answered" | "request lost" | "answer lost";
export type Command =
	| { type: "create"; buyer: number; key: number; expensive: boolean; quantity: number }
	| { type: "cancel"; order: number; byAdmin: boolean }
	| { type: "move"; order: number; to: Status }
	/** A relay publishes messages of an outbox. One that crashes before it deletes them publishes them again. */
	| { type: "relay"; box: number; crashes: boolean }
	/** One of two owners of a consumer's partition gets `records` records, starting `back` records before the committed offset. */
	| { type: "deliver"; consumer: number; owner: number; back: number; records: number }
	/** The payment collector polls; orders sweeps orphaned reservations; orders cancels unpaid orders. */
	| { type: "collect" | "sweep" | "expire" }
	/** One of the waiting steps runs. */
	| { type: "step"; which: number; fate: Fate };

const BUYERS = 2;
/** An index into the orders that exist at that time. */
const anOrder = fc.nat(5);
const fate = fc.oneof(
	{ weight: 8, arbitrary: fc.constant<Fate>("answered") },
	{ weight: 1, arbitrary: fc.constant<Fate>("request lost") },
	{ weight: 1, arbitrary: fc.constant<Fate>("answer lost") }
);
const kind = <T extends string>(type: T) => ({ type: fc.constant(type) });
/** Forward transitions more often, or no order would ever be delivered. */
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
				expensive: fc.constantFrom(false, false, false, true),
				quantity
			})
		},
		{ weight: 1, arbitrary: fc.record({ ...kind("cancel"), order: anOrder, byAdmin: fc.boolean() }) },
		{ weight: 6, arbitrary: fc.record({ ...kind("move"), order: anOrder, to }) },
		{ weight: 3, arbitrary: fc.record({ ...kind("relay"), box: fc.nat(1), crashes: fc.boolean() }) },
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
		{ weight: 2, arbitrary: fc.record(kind("collect")) },
		{ weight: 1, arbitrary: fc.record({ type: fc.constantFrom("sweep" as const, "expire" as const) }) },
		{ weight: 20, arbitrary: fc.record({ ...kind("step"), which: fc.nat(20), fate }) }
	),
	{ minLength: 30, maxLength: 200, size: "max" }
);

/** Waits until no promise can continue without the next step. */
const settled = async () => {
	for (let n = 0; n < 8; n++) await tick();
};

/** The steps that wait until the history lets them run. */
function gate() {
	const waiting: ((fate: Fate) => Promise<void>)[] = [];
	const pass = <T>(step: () => Promise<T>) =>
		new Promise<T>((resolve, reject) => {
			waiting.push(async fate => {
				if (fate === "request lost") return reject(unavailable("the dependency"));
				try {
					const answer = await step();
					if (fate === "answered") resolve(answer);
					else reject(unavailable("the dependency"));
				} catch (error) {
					reject(error);
				}
			});
		});
	const next = async (which: number, fate: Fate) => {
		const [one] = waiting.splice(which % Math.max(waiting.length, 1), 1);
		await one?.(fate);
		await settled();
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
/** Every message here is one that the outbox published. */
const ownRecords = { sign: (record: Outgoing) => record, isProven: () => true };
const quiet = { debug() {}, info() {}, warn() {} };

/** Runs a history, then lets everything complete, and fails if a promise is broken. The tables of both services exist and are used by this run alone. */
export async function run(history: Command[], knex: Knex) {
	for (const table of ["orders", "payments", "orders_outbox", "payment_outbox"]) await knex(table).delete();
	const boxes = ["orders_outbox", "payment_outbox"].map(table => outbox(knex, { contracts: topics, table })) as [Outbox, Outbox];
	const { pass, gated, next, isIdle } = gate();
	const [cheap, expensive] = [newProduct(10, 1_000), newProduct(2_000, 1_000)];
	const stock = fakeStock([cheap, expensive]);
	stock.whenPicked = () => pass(async () => {});
	stock.whenReserved = () => pass(async () => {});
	const provider = fakeProvider({ limitCents: 100_000 });
	const orderStore = gated(sqlOrders(knex, boxes[0]));
	const realPayments = sqlPayments(knex, boxes[1]);
	// A lease that ends at once: every provider request may be sent by several nodes.
	const paymentStore = gated({ ...realPayments, claimDue: (limit: number) => realPayments.claimDue(limit, 0) });

	const broker = new ServiceBroker({ logger: false });
	stock.createServices(broker);
	broker.createService(orders(orderStore, { timeoutMs: 600_000, mixins: [noTopics] }));
	broker.createService(
		payment(paymentStore, provider.port, { orders: { proofs: async () => ownRecords }, collects: false, mixins: [noTopics] })
	);
	await broker.start();
	const { poll } = createCollector(paymentStore, gated(provider.port), quiet, () => {}, {
		backoff: { firstMs: 0, longestMs: 0 }
	});

	const [buyers, admin] = [Array.from({ length: BUYERS }, () => newIdentity()), newIdentity("admin")];
	const recorded: Recorded = {
		log: new Map(CONSUMERS.map(([, topic]) => [topic, []])),
		answers: [],
		cancelled: new Set(),
		deadLettered: []
	};
	const committed = CONSUMERS.map(() => 0);
	const busy = new Set<string>();
	const pending: Promise<unknown>[] = [];
	/** A request may fail only with the errors that its contract allows. */
	const start = <T>(request: Promise<T>, then: (answer: T) => void = () => {}) => {
		pending.push(
			request.then(then, (error: { type?: string; stack?: string }) =>
				assert.ok(["UNAVAILABLE", "BAD_TRANSITION", "CONFLICT", "OUT_OF_STOCK"].includes(error.type ?? ""), error.stack)
			)
		);
	};

	const relay = async (box: number, crashes: boolean) => {
		const oldest = await boxes[box]!.next(5);
		for (const { id, record } of oldest) {
			const entry = { id: `${box}-${id}`, message: JSON.parse(String(record.value)), headers: record.headers ?? {} };
			if (!recorded.log.has(record.topic)) recorded.log.set(record.topic, []);
			recorded.log.get(record.topic)!.push(entry);
		}
		const sent = oldest.map(({ id }) => id);
		if (!crashes) await boxes[box]!.next(0, sent);
		return oldest.length;
	};

	const deliverRecords = async (index: number, owner: number, from: number, to: number) => {
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
			else for (const { orderId } of messages) (topic === "order.created" ? stock.confirm : stock.release)(orderId);
		} catch (error) {
			const { type } = error as { type?: string };
			if (type === "UNAVAILABLE") return;
			// A refused message goes to the dead letters; a refused batch is delivered again one by one.
			assert.equal(type, "BAD_TRANSITION", (error as Error).stack);
			if (messages.length > 1) return;
			recorded.deadLettered.push(messages[0].orderId);
		} finally {
			busy.delete(place);
		}
		committed[index] = Math.max(committed[index]!, from + messages.length);
	};

	const orderAt = async (n: number) => {
		const ids = await knex("orders").whereNot("status", "void").orderBy("number").pluck("id");
		return ids.length === 0 ? undefined : (ids[n % ids.length] as string);
	};
	const sweep = () => sweepOrphanedReservations(stock.sweepable, ids => orderStore.voidUnknown(ids), 0);

	const execute = async (command: Command) => {
		switch (command.type) {
			case "create": {
				const { buyer, key, quantity } = command;
				const items = [{ productId: (command.expensive ? expensive : cheap).productId, quantity }];
				// Key 0: without an idempotency key.
				const request = { items, shippingAddress: { street: "1" }, idempotencyKey: key === 0 ? undefined : `key-${key}` };
				const create: Caller["call"] = callAs(broker, buyers[buyer]);
				start(create("orders.create", request), answer => recorded.answers.push({ buyer, key, answer, items }));
				break;
			}
			case "cancel": {
				const id = await orderAt(command.order);
				const { buyer_id } = id ? await knex("orders").where({ id }).first("buyer_id") : {};
				const by = command.byAdmin ? admin : buyers.find(one => one.id === buyer_id);
				if (id) start(callAs(broker, by)("orders.cancel", { id }), () => recorded.cancelled.add(id));
				break;
			}
			case "move": {
				const id = await orderAt(command.order);
				if (id) start(callAs(broker, admin)("orders.setStatus", { id, status: command.to }));
				break;
			}
			case "relay":
				await relay(command.box, command.crashes);
				break;
			case "deliver": {
				const from = Math.max(0, committed[command.consumer]! - command.back);
				pending.push(deliverRecords(command.consumer, command.owner, from, from + command.records));
				break;
			}
			case "collect":
				start(poll());
				break;
			case "sweep":
				start(sweep());
				break;
			case "expire":
				start(orderStore.cancelUnpaid(0, 2));
				break;
			case "step":
				await next(command.which, command.fate);
		}
		await settled();
	};

	const drain = async () => {
		for (let step = 0; !isIdle(); step++) await next(step * 7, "answered");
	};
	const isDone = async () => {
		const waiting = await Promise.all(boxes.map(box => box.next(1)));
		const read = CONSUMERS.every(([, topic], index) => committed[index] === recorded.log.get(topic)!.length);
		const open = await knex("payments").whereIn("state", ["pending", "charging", "stopping", "refunding"]).first();
		return isIdle() && read && !open && waiting.flat().length === 0;
	};

	for (const command of history) await execute(command);
	await drain();
	for (let round = 0; !(await isDone()); round++) {
		assert.ok(round < 200, "the history does not end");
		for (const box of [0, 1]) await relay(box, false);
		for (const [index, from] of committed.entries()) pending.push(deliverRecords(index, 2, from, from + 1));
		start(poll());
		await settled();
		await drain();
	}
	start(sweep());
	await settled();
	await drain();
	await Promise.all(pending);
	await broker.stop();

	await checkEnd(recorded, {
		knex,
		stock,
		provider,
		initial: [cheap, expensive].map(({ productId }) => [productId, 1_000] as const)
	});
}
