// The promises of `orders.create`.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { noTopics } from "../../test/no-topics.ts";
import { sweepOrphanedReservations } from "./orders.orphaned-reservations.ts";
import { ADDRESS, callAs, newIdentity, newProduct, type OrdersNode } from "./orders.testing.ts";
import { orders } from "./orders.ts";

export const placingSuite = ({ stock, lines, store, service, db, as, published, newOrder }: OrdersNode) => {
	const rowsOf = (buyerId: string) => db()("orders").where({ buyer_id: buyerId });
	const reservationsOf = (productId: string) => [...stock.reservations.values()].filter(({ lines }) => lines.has(productId));

	describe("an order", () => {
		it("belongs to its buyer, costs what the catalogue says, and is published once, with the request's id", async () => {
			const [buyer, one, other] = [newIdentity(), stock.add(newProduct(12.5)), stock.add(newProduct(0.1))];
			const lines = [
				{ productId: one.productId, quantity: 3 },
				{ productId: other.productId, quantity: 1 },
				{ productId: one.productId, quantity: 2 }
			];
			const shippingAddress = { zip: "1", a: "2", street: "3" };
			const order = await as(buyer)("orders.create", { items: lines, shippingAddress }, { requestID: "request-1" });
			const items = lines.map(line => {
				const { sku, name, price } = stock.products.get(line.productId)!;
				return { ...line, sku, name, price };
			});
			const { orderId, createdAt } = order;
			const message = { orderId, buyerId: buyer.id, items, total: 62.6, status: "pending", createdAt };
			assert.deepEqual(order, { ...message, shippingAddress });
			assert.deepEqual(Object.keys(order.shippingAddress), ["zip", "a", "street"], "as the buyer wrote it");
			assert.deepEqual(await published(orderId), [{ topic: "order.created", message, seq: 1, requestID: "request-1" }]);
			assert.deepEqual(await as(buyer)("orders.get", { id: orderId }), order);
			assert.deepEqual([one.reserved, other.reserved], [5, 1]);
		});

		it("is stored together with its message by one statement", async () => {
			const [buyer, { productId }] = [newIdentity(), stock.add(newProduct())];
			const statements: string[] = [];
			const collect = ({ sql }: { sql: string }) => statements.push(sql);
			db().on("query", collect);
			await as(buyer)("orders.create", { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS }).finally(() =>
				db().removeListener("query", collect)
			);
			assert.equal(statements.length, 1, statements.join("\n"));
		});

		it("is stored after a few of those that wait, not after all, when another address has sent many long ones", async () => {
			const { productId } = stock.add(newProduct());
			const line = { productId, quantity: 1 };
			const place = (address: string, items: (typeof line)[]) =>
				service().broker.call("orders.create", { items, shippingAddress: ADDRESS }, { meta: { caller: newIdentity(), address } });
			let stored = 0;
			const many = Array.from({ length: 200 }, async () => {
				await place("203.0.113.1", Array(100).fill(line));
				stored++;
			});
			await place("203.0.113.2", [line]);
			assert.ok(stored < 100, `${stored} of 200 orders of the other address were stored before it`);
			await Promise.all(many);
		});

		it("is refused without an account, and reserves nothing", async () => {
			const { productId } = stock.add(newProduct());
			const request = { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS };
			await assert.rejects(as()("orders.create", request), { code: 401, type: "UNAUTHORIZED" });
			assert.deepEqual(reservationsOf(productId), []);
		});
	});

	describe("an invalid order", () => {
		const line = (more: object = {}) => ({ productId: "", quantity: 1, ...more });
		const cases: [what: string, change: object, field: string][] = [
			["quantity 0", { items: [line({ quantity: 0 })] }, "items.0.quantity"],
			["quantity -1", { items: [line(), line({ quantity: -1 })] }, "items.1.quantity"],
			["quantity 1.5", { items: [line({ quantity: 1.5 })] }, "items.0.quantity"],
			["quantity 10,001", { items: [line({ quantity: 10_001 })] }, "items.0.quantity"],
			["quantity as a string", { items: [line({ quantity: "1" })] }, "items.0.quantity"],
			["no lines", { items: [] }, "items"],
			["101 lines", { items: Array.from({ length: 101 }, () => line()) }, "items"],
			["no address", { shippingAddress: undefined }, "shippingAddress"],
			["an empty address", { shippingAddress: {} }, "shippingAddress"],
			["an address that is a string", { shippingAddress: "1 Main Street" }, "shippingAddress"],
			[
				"an address of 11 lines",
				{ shippingAddress: Object.fromEntries([..."abcdefghijk"].map(name => [name, "x"])) },
				"shippingAddress"
			],
			["an address with a huge line", { shippingAddress: { street: "x".repeat(201) } }, "shippingAddress.street"],
			["an address with an empty line", { shippingAddress: { street: "" } }, "shippingAddress.street"],
			["an address with U+0000", { shippingAddress: { street: "a\u0000b" } }, "shippingAddress.street"]
		];
		for (const [what, change, field] of cases)
			it(`is refused for ${what}, with the name of the field, and reserves nothing`, async () => {
				const [buyer, { productId }] = [newIdentity(), stock.add(newProduct())];
				const request = { items: [line()], shippingAddress: ADDRESS, ...change };
				const items = request.items.map(one => (one.productId === "" ? { ...one, productId } : one));
				const refused = as(buyer)("orders.create", { ...request, items });
				await assert.rejects(refused, (error: Error & { code: number; type: string; data: { field: string }[] }) => {
					assert.deepEqual([error.code, error.type, error.data.map(one => one.field)], [422, "VALIDATION_ERROR", [field]]);
					return true;
				});
				assert.deepEqual([reservationsOf(productId), await rowsOf(buyer.id)], [[], []]);
			});

		it("is logged once, one line for all orders that are stored together, with their ids only", async () => {
			const { productId } = stock.add(newProduct());
			const request = { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS, idempotencyKey: randomUUID() };
			const from = lines.length;
			const buyers = Array.from({ length: 20 }, () => newIdentity());
			const placed = await Promise.all(buyers.map(buyer => as(buyer)("orders.create", request)));
			assert.deepEqual(await as(buyers[0])("orders.create", request), placed[0]);
			const logged = lines.slice(from).filter(line => line.startsWith("accepted orders: "));
			const ids = logged.flatMap(line => line.replace("accepted orders: ", "").split(" "));
			assert.deepEqual(ids.toSorted(), placed.map(({ orderId }) => orderId).toSorted());
			assert.ok(logged.length < placed.length, `${logged.length} lines`);
		});

		it("is refused for an unknown product, with its id, and reserves nothing of the others", async () => {
			const [buyer, { productId }, unknown] = [newIdentity(), stock.add(newProduct()), randomUUID()];
			const items = [productId, unknown].map(id => ({ productId: id, quantity: 1 }));
			const refused = as(buyer)("orders.create", { items, shippingAddress: ADDRESS });
			await assert.rejects(refused, { code: 404, type: "NOT_FOUND", data: { productId: unknown } });
			assert.deepEqual([reservationsOf(productId), await rowsOf(buyer.id)], [[], []]);
		});

		it("is refused if two lines of one product exceed its stock together, and reserves nothing of the others", async () => {
			const [buyer, rare, other] = [newIdentity(), stock.add(newProduct(1, 12)), stock.add(newProduct())];
			const items = [
				{ productId: other.productId, quantity: 1 },
				{ productId: rare.productId, quantity: 7 },
				{ productId: rare.productId, quantity: 6 }
			];
			const refused = as(buyer)("orders.create", { items, shippingAddress: ADDRESS });
			const data = { productId: rare.productId, requested: 13, available: 12 };
			await assert.rejects(refused, { code: 409, type: "OUT_OF_STOCK", data });
			assert.deepEqual([rare.reserved, other.reserved, await rowsOf(buyer.id)], [0, 0, []]);
		});

		it("fails alone in its batch if it cannot be stored, and its reservation is released", async () => {
			const { productId } = stock.add(newProduct());
			const request = { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS };
			const buyers = Array.from({ length: 12 }, () => newIdentity());
			buyers[5] = { ...newIdentity(), id: "a\u0000b" };
			const answers = await Promise.allSettled(buyers.map(buyer => as(buyer)("orders.create", request)));
			const refused = answers.flatMap((answer, n) => (answer.status === "rejected" ? [[n, answer.reason.type]] : []));
			assert.deepEqual(refused, [[5, "VALIDATION_ERROR"]]);
			assert.equal(stock.products.get(productId)?.reserved, 11);
		});
	});

	it("is not stored under an id that was voided while it was being placed: it is stored under the next id, and the first reservation is released", async () => {
		const voided: string[] = [];
		stock.whenReserved = async orderId => {
			stock.whenReserved = async () => {};
			voided.push(orderId);
			assert.deepEqual(await store().voidUnknown([orderId]), []);
		};
		const { orderId, productId } = await newOrder();
		assert.equal(voided.length, 1);
		assert.notEqual(orderId, voided[0]);
		assert.equal(stock.reservations.get(voided[0]!)?.state, "released");
		assert.equal(stock.products.get(productId)?.reserved, 1);
	});

	it("voids unknown ids for good, and no id of an order", async () => {
		const [{ orderId, buyer }, never] = [await newOrder(), randomUUID()];
		for (let time = 0; time < 2; time++) assert.deepEqual(await store().voidUnknown([never, orderId]), [orderId]);
		assert.deepEqual(
			await store().create([{ orderId: never, buyerId: buyer.id, items: [], totalCents: 1, shippingAddress: ADDRESS }]),
			["void"]
		);
		assert.deepEqual(await published(never), []);
	});

	it("is answered 503 in time, whichever dependency is unavailable, and its reservation is kept if it may be stored all the same", async () => {
		const never = new Promise<never>(() => {});
		const [buyer, product] = [newIdentity(), stock.add(newProduct())];
		const impatient = new ServiceBroker({ logger: false });
		const slow = { ...store(), create: store().create };
		stock.createServices(impatient);
		impatient.createService(orders(slow, { timeoutMs: 1_000, mixins: [noTopics] }));
		await impatient.start();
		const refused = () =>
			assert.rejects(
				callAs(impatient, buyer)("orders.create", {
					items: [{ productId: product.productId, quantity: 1 }],
					shippingAddress: ADDRESS
				}),
				{ code: 503, type: "UNAVAILABLE" }
			);
		stock.whenPicked = () => never;
		await refused();
		stock.whenPicked = async () => {};
		stock.whenReserved = () => never;
		await refused();
		stock.whenReserved = async () => {};
		slow.create = () => never;
		await refused();
		const kept = reservationsOf(product.productId).map(({ state }) => state);
		assert.ok(kept.length > 0 && kept.every(state => state === "reserved"), kept.join());
		await impatient.stop();
		await sweepOrphanedReservations(stock.sweepable, store().voidUnknown, 0);
		assert.equal(product.reserved, 0);
	});
};
