// The promises of inventory, from a call or a message to its own messages, on any Postgres.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { relay } from "../../mixins/outbox/relay.ts";
import { embeddedLog } from "../../mixins/topics/embedded/embedded-log.ts";
import { topics as topicsMixin } from "../../mixins/topics/topics.ts";
import { eventually } from "../../test/client.ts";
import { CollectingLogger } from "../../test/collecting-logger.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import type { Line } from "./inventory.contract.ts";
import { sqlInventory } from "./inventory.store.ts";
import { inventory } from "./inventory.ts";

export const inventorySuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`inventory, ${where}`, () => {
		const logger = new CollectingLogger();
		const broker = new ServiceBroker({ logger, validator: new ContractValidator(actions) });
		const call = broker.call.bind(broker) as Caller["call"];
		let scratch: Scratch;
		let log: ReturnType<typeof embeddedLog>;
		let store: ReturnType<typeof sqlInventory>;

		before(async () => {
			scratch = await open();
			await migrate(scratch.db, new URL("./migrations/", import.meta.url), "inventory_migrations");
			const { knex } = scratch.db;
			log = embeddedLog(knex);
			const box = outbox(knex, { contracts: topics, table: "inventory_outbox" });
			// One partition, so that a message shows that all earlier ones are published.
			const mixins = [relay(box, log), topicsMixin(log, { contracts: topics, partitions: 1 })];
			store = sqlInventory(knex, box);
			broker.createService(inventory(store, { mixins }));
			await broker.start();
			await eventually(() => log.ends("inventory.updated"), "the topics to exist");
		});
		after(async () => {
			await broker?.stop();
			await scratch?.db.close();
			await scratch?.remove();
		});

		const sku = "OIL-1";
		const product = async (stock: number) => {
			const productId = randomUUID();
			await call("inventory.open", { productId, sku, stock });
			return productId;
		};
		const refusalOf = async (orderId: string, lines: Line[]) =>
			(await call("inventory.reserve", { orders: [{ orderId, lines }] }))[0];
		const reserve = async (productId: string, quantity: number, orderId: string = randomUUID()) => {
			assert.equal(await refusalOf(orderId, [{ productId, quantity }]), null);
			return orderId;
		};
		const level = async (productId: string) => {
			const { stock, reserved } = await call("inventory.get", { productId });
			return [stock, reserved];
		};
		const put = (topic: string, key: string, value: object, headers: Record<string, string> = {}) =>
			log.append([{ topic, key, value: JSON.stringify(value), headers }]);
		const created = (orderId: string, headers?: Record<string, string>, items: object[] = []) =>
			put("order.created", orderId, { orderId, buyerId: "b", items, total: 1, status: "pending", createdAt: "" }, headers);
		const cancelled = (orderId: string) => put("order.cancelled", orderId, { orderId, buyerId: "b", cancelledAt: "" });
		/** The messages of a product, once there are at least `length`. */
		const published = (productId: string, length: number) =>
			eventually(async () => {
				const records = await log.read("inventory.updated", 0, 0, 10_000);
				const own = records.filter(({ key }) => String(key) === productId);
				assert.ok(own.length >= length, `${own.length} of ${length}`);
				return own.map(({ value, headers }) => ({ ...JSON.parse(String(value)), version: headers.version }));
			}, `the messages of ${productId}`);
		/** Waits until inventory has consumed its topics to their ends. */
		const idle = () =>
			eventually(async () => {
				for (const topic of ["order.created", "order.cancelled", "product.created"]) {
					const [end] = await log.ends(topic);
					if (end! > 0) assert.deepEqual(await log.committed("inventory", topic), [end], topic);
				}
			}, "inventory to have consumed its topics");

		it("answers a product's stock and how much of it is reserved, and 404 for an unknown product", async () => {
			const productId = await product(12);
			await reserve(productId, 3);
			assert.deepEqual(await call("inventory.get", { productId }), { productId, sku, stock: 12, reserved: 3 });
			await assert.rejects(call("inventory.get", { productId: randomUUID() }), { code: 404, type: "NOT_FOUND" });
		});

		it("answers the levels of several products in the requested order, and 0 for unknown ones", async () => {
			const [one, two, unknown] = [await product(1), await product(2), randomUUID()];
			assert.deepEqual(
				(await call("inventory.levels", { ids: [two, unknown, one] })).map(({ productId, stock }) => [productId, stock]),
				[
					[two, 2],
					[unknown, 0],
					[one, 1]
				]
			);
		});

		it("sets the stock and publishes it, never below what is reserved, and not of an unknown product", async () => {
			const productId = await product(12);
			await reserve(productId, 3);
			await assert.rejects(call("inventory.set", { productId, stock: 2 }), {
				code: 409,
				type: "CONFLICT",
				data: { field: "stock", productId, reserved: 3 }
			});
			assert.deepEqual(await call("inventory.set", { productId, stock: 20 }), { productId, sku, stock: 20, reserved: 3 });
			await call("inventory.set", { productId, stock: 20 });
			await call("inventory.set", { productId, stock: 3 });
			const logged = logger.lines.filter(line => line.startsWith("set a stock") && line.includes(productId));
			assert.deepEqual(
				logged.map(line => /stock: .*by: '\w+'/.exec(line)?.[0]),
				[20, 20, 3].map(stock => `stock: ${stock}, by: 'operator'`)
			);
			assert.deepEqual(await published(productId, 2), [
				{ productId, stock: 20, previousStock: 12, sku, version: "1" },
				{ productId, stock: 3, previousStock: 20, sku, version: "2" }
			]);
			await assert.rejects(call("inventory.set", { productId: randomUUID(), stock: 2 }), { code: 404, type: "NOT_FOUND" });
		});

		it("refuses an order that exceeds the stock, its lines added up, and reserves nothing of it", async () => {
			const [plenty, scarce, orderId] = [await product(100), await product(5), randomUUID()];
			const lines = [
				{ productId: plenty, quantity: 1 },
				{ productId: scarce, quantity: 3 },
				{ productId: scarce, quantity: 3 }
			];
			const refusal = { type: "OUT_OF_STOCK", productId: scarce, requested: 6, available: 5 };
			assert.deepEqual(await refusalOf(orderId, lines), refusal);
			assert.deepEqual(
				[await level(plenty), await level(scarce)],
				[
					[100, 0],
					[5, 0]
				]
			);
			assert.equal(await refusalOf(orderId, lines.slice(0, 2)), null, "a later attempt may succeed");
			const both = [scarce, plenty].map(productId => ({ productId, quantity: 101 }));
			assert.deepEqual(
				await refusalOf(randomUUID(), both),
				{ type: "OUT_OF_STOCK", productId: scarce, requested: 101, available: 2 },
				"the first product that is missing"
			);
		});

		it("decides the orders of one call one after the other, and answers each", async () => {
			const productId = await product(5);
			const [first, second] = [randomUUID(), randomUUID()];
			const requests = [3, 3, 2].map((quantity, n) => ({ orderId: n === 1 ? second : first, lines: [{ productId, quantity }] }));
			const orders = [...requests, { orderId: randomUUID(), lines: [{ productId, quantity: 2 }] }, requests[0]!];
			assert.deepEqual(await call("inventory.reserve", { orders }), [
				null,
				{ type: "OUT_OF_STOCK", productId, requested: 3, available: 2 },
				{ type: "CONFLICT" },
				null,
				null
			]);
			assert.deepEqual(await level(productId), [5, 5]);
		});

		it("is 503 to the caller of an order that may not be reserved, and to no other one of the same transaction", async () => {
			const [productId, lost] = [await product(12), randomUUID()];
			const real = store.reserve;
			const failure = Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
			store.reserve = async requests =>
				(await real(requests)).map((answer, n) => (requests[n]!.holder === lost ? failure : answer));
			const outcomes = await Promise.allSettled(
				[randomUUID(), lost, randomUUID()].map(orderId => refusalOf(orderId, [{ productId, quantity: 1 }]))
			).finally(() => {
				store.reserve = real;
			});
			assert.deepEqual(
				outcomes.map(outcome => (outcome.status === "fulfilled" ? outcome.value : outcome.reason.type)),
				[null, "UNAVAILABLE", null]
			);
		});

		it("refuses an order that has reserved other lines, or whose reservation was released", async () => {
			const productId = await product(12);
			const orderId = await reserve(productId, 3);
			await reserve(productId, 3, orderId);
			assert.deepEqual(await refusalOf(orderId, [{ productId, quantity: 4 }]), { type: "CONFLICT" });
			assert.deepEqual(await call("inventory.release", { orderIds: [orderId] }), [orderId]);
			assert.deepEqual(await call("inventory.release", { orderIds: [orderId] }), []);
			assert.deepEqual(await refusalOf(orderId, [{ productId, quantity: 3 }]), { type: "CONFLICT" });
			assert.deepEqual(await level(productId), [12, 0]);
		});

		it("refuses invalid quantities, lines and stock", async () => {
			const productId = await product(12);
			for (const quantity of [0, -1, 1.5, 10_001])
				await assert.rejects(reserve(productId, quantity), { code: 422, type: "VALIDATION_ERROR" }, String(quantity));
			for (const count of [0, 101]) {
				const lines = Array.from({ length: count }, () => ({ productId, quantity: 1 }));
				await assert.rejects(refusalOf(randomUUID(), lines), { code: 422 }, `${count} lines`);
			}
			for (const stock of [-1, 1.5, 1_000_000_001])
				await assert.rejects(call("inventory.set", { productId, stock }), { code: 422, type: "VALIDATION_ERROR" }, String(stock));
			assert.deepEqual(await level(productId), [12, 0]);
		});

		it("deducts an order once and publishes it once, with its request id, for repeated messages", async () => {
			const productId = await product(12);
			const orderId = await reserve(productId, 3);
			for (let n = 0; n < 3; n++) await created(orderId, { "request-id": "request-1" });
			await idle();
			assert.deepEqual(await level(productId), [9, 0]);
			assert.deepEqual(await published(productId, 1), [{ productId, stock: 9, previousStock: 12, sku, version: "1" }]);
			const record = (await log.read("inventory.updated", 0, 0, 10_000)).find(({ key }) => String(key) === productId);
			assert.equal(record?.headers["request-id"], "request-1");
		});

		it("returns the stock of a cancelled order once, and publishes it once", async () => {
			const productId = await product(12);
			const orderId = await reserve(productId, 3);
			await created(orderId);
			await published(productId, 1);
			for (let n = 0; n < 2; n++) await cancelled(orderId);
			await created(orderId);
			await idle();
			assert.deepEqual(await level(productId), [12, 0]);
			assert.deepEqual(await published(productId, 2), [
				{ productId, stock: 9, previousStock: 12, sku, version: "1" },
				{ productId, stock: 12, previousStock: 9, sku, version: "2" }
			]);
		});

		it("changes no stock for an order whose cancellation comes first", async () => {
			const productId = await product(12);
			const orderId = await reserve(productId, 3);
			await cancelled(orderId);
			await eventually(async () => assert.deepEqual(await level(productId), [12, 0]), "the reservation to be released");
			await created(orderId);
			await idle();
			assert.deepEqual(await level(productId), [12, 0]);
			const unseen = randomUUID();
			await cancelled(unseen);
			await idle();
			assert.deepEqual(await refusalOf(unseen, [{ productId, quantity: 1 }]), { type: "CONFLICT" });
			await call("inventory.set", { productId, stock: 1 });
			assert.deepEqual(
				(await published(productId, 1)).map(({ stock }) => stock),
				[1]
			);
		});

		it("deducts nothing for an order without a reservation, whatever its message says", async () => {
			const productId = await product(12);
			await created(randomUUID(), {}, [{ productId, quantity: 3, sku, name: "n", price: 1 }]);
			await idle();
			assert.deepEqual(await level(productId), [12, 0]);
		});

		it("makes the message of an order without a reservation a dead letter, and handles those beside it", async () => {
			const productId = await product(12);
			const [orderId, foreign] = [await reserve(productId, 3), randomUUID()];
			await Promise.all([created(foreign), created(orderId), created(foreign)]);
			await idle();
			assert.deepEqual(await level(productId), [9, 0]);
			const dead = await log.read("order.created.dead", 0, 0, 10_000);
			const own = dead.filter(({ key }) => String(key) === foreign);
			assert.deepEqual(
				own.map(({ headers }) => [headers["dead-type"], headers["dead-reason"]]),
				Array(2).fill(["NOT_FOUND", "no stock is reserved for this order"])
			);
			assert.ok(!dead.some(({ key }) => String(key) === orderId));
		});

		it("adds a product from its message, once, and publishes nothing", async () => {
			const productId = randomUUID();
			const message = { productId, name: "n", sku, price: 1, stock: 7, category: "c" };
			await put("product.created", productId, message);
			await put("product.created", productId, { ...message, stock: 8 });
			await idle();
			assert.deepEqual(await level(productId), [7, 0]);
			await call("inventory.set", { productId, stock: 6 });
			assert.deepEqual(await published(productId, 1), [{ productId, stock: 6, previousStock: 7, sku, version: "1" }]);
		});

		it("lists reservations as pending from the given age on, until they are confirmed or released", async () => {
			const productId = await product(12);
			const [confirmed, released] = [await reserve(productId, 3), await reserve(productId, 2)];
			const pending = async (olderThanMs: number) =>
				(await call("inventory.listPending", { olderThanMs, limit: 500 })).filter(id => [confirmed, released].includes(id));
			assert.deepEqual(await pending(3_600_000), []);
			assert.deepEqual((await pending(0)).toSorted(), [confirmed, released].toSorted());
			await call("inventory.confirm", { orderIds: [confirmed] });
			assert.deepEqual(await pending(0), [released]);
			await call("inventory.release", { orderIds: [released] });
			assert.deepEqual(await pending(0), []);
		});

		it("confirms a reservation once by call or message, and never one that was released or is unknown", async () => {
			const productId = await product(12);
			const [order, cancelledOrder] = [await reserve(productId, 2), await reserve(productId, 3)];
			await call("inventory.release", { orderIds: [cancelledOrder] });
			const orderIds = [order, cancelledOrder, randomUUID()];
			assert.deepEqual(await call("inventory.confirm", { orderIds }), [order]);
			assert.deepEqual(await call("inventory.confirm", { orderIds }), []);
			await created(order);
			await created(cancelledOrder);
			await idle();
			assert.deepEqual(await level(productId), [10, 0]);
			assert.equal((await published(productId, 1)).length, 1);
		});

		it("sells 12 of 12 under 200 concurrent orders, and the ledger adds up", async () => {
			const productId = await product(12);
			const ids = Array.from({ length: 200 }, () => randomUUID());
			const answers = await Promise.all(ids.map(orderId => refusalOf(orderId, [{ productId, quantity: 1 }])));
			const won = ids.filter((_, n) => answers[n] === null);
			assert.deepEqual([won.length, new Set(answers.map(answer => answer?.type))], [12, new Set([undefined, "OUT_OF_STOCK"])]);
			await Promise.all(won.map(orderId => created(orderId)));
			const messages = await published(productId, 12);
			assert.deepEqual(
				messages.map(({ stock, previousStock, version }) => [stock, previousStock, version]),
				Array.from({ length: 12 }, (_, n) => [11 - n, 12 - n, String(n + 1)])
			);
			const { broken, putIn, stock, sold, returned } = await call("inventory.equation", {});
			assert.deepEqual([broken, putIn], [[], stock + sold - returned]);
		});
	});
