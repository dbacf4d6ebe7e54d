// What `orders.create` promises.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { unavailable } from "../../mixins/errors.ts";
import { noTopics } from "../../test/no-topics.ts";
import { orderIdOf } from "./orders.rules.ts";
import { ADDRESS, type OrdersNode } from "./orders.suite.ts";
import { callAs, newIdentity, newProduct } from "./orders.testing.ts";
import { orders } from "./orders.ts";

export const placingSuite = ({ market, store, db, as, told, ordered }: OrdersNode) => {
	const rowsOf = (buyerId: string) => db()("orders").where({ buyer_id: buyerId });
	const heldBy = (productId: string) => [...market.holds.values()].filter(({ lines }) => lines.has(productId));

	describe("an order", () => {
		it("is its buyer's, costs what the catalogue says, and is told once, with the request's id", async () => {
			const [buyer, one, other] = [newIdentity(), market.add(newProduct(12.5)), market.add(newProduct(0.1))];
			const lines = [
				{ productId: one.productId, quantity: 3 },
				{ productId: other.productId, quantity: 1 },
				{ productId: one.productId, quantity: 2 }
			];
			const shippingAddress = { zip: "1", a: "2", street: "3" };
			const order = await as(buyer)("orders.create", { items: lines, shippingAddress }, { requestID: "request-1" });
			const items = lines.map(line => {
				const { sku, name, price } = market.shelf.get(line.productId)!;
				return { ...line, sku, name, price };
			});
			const { orderId, createdAt } = order;
			const told_ = { orderId, buyerId: buyer.id, items, total: 62.6, status: "pending", createdAt };
			assert.deepEqual(order, { ...told_, shippingAddress });
			assert.deepEqual(Object.keys(order.shippingAddress), ["zip", "a", "street"], "as the buyer wrote it");
			assert.deepEqual(await told(orderId), [{ topic: "order.created", message: told_, seq: 1, requestID: "request-1" }]);
			assert.deepEqual(await as(buyer)("orders.get", { id: orderId }), order);
			assert.deepEqual([one.reserved, other.reserved], [5, 1]);
		});

		it("is nobody's without an account", async () => {
			const { productId } = market.add(newProduct());
			const asked = { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS };
			await assert.rejects(as()("orders.create", asked), { code: 401, type: "UNAUTHORIZED" });
			assert.deepEqual(heldBy(productId), []);
		});
	});

	describe("an order that cannot be", () => {
		const line = (more: object = {}) => ({ productId: "", quantity: 1, ...more });
		const cases: [what: string, asked: object, field: string][] = [
			["quantity 0", { items: [line({ quantity: 0 })] }, "items.0.quantity"],
			["quantity -1", { items: [line(), line({ quantity: -1 })] }, "items.1.quantity"],
			["quantity 1.5", { items: [line({ quantity: 1.5 })] }, "items.0.quantity"],
			["quantity 10,001", { items: [line({ quantity: 10_001 })] }, "items.0.quantity"],
			["quantity as text", { items: [line({ quantity: "1" })] }, "items.0.quantity"],
			["no lines", { items: [] }, "items"],
			["101 lines", { items: Array.from({ length: 101 }, () => line()) }, "items"],
			["no address", { shippingAddress: undefined }, "shippingAddress"],
			["an empty address", { shippingAddress: {} }, "shippingAddress"],
			["an address that is a text", { shippingAddress: "1 Main Street" }, "shippingAddress"],
			[
				"an address of 11 lines",
				{ shippingAddress: Object.fromEntries([..."abcdefghijk"].map(name => [name, "x"])) },
				"shippingAddress"
			],
			["an address with a huge line", { shippingAddress: { street: "x".repeat(201) } }, "shippingAddress.street"],
			["an address with an empty line", { shippingAddress: { street: "" } }, "shippingAddress.street"],
			["an address with U+0000", { shippingAddress: { street: "a\u0000b" } }, "shippingAddress.street"]
		];
		for (const [what, asked, field] of cases)
			it(`is refused for ${what}, by the name of the field, and reserves nothing`, async () => {
				const [buyer, { productId }] = [newIdentity(), market.add(newProduct())];
				const request = { items: [line()], shippingAddress: ADDRESS, ...asked };
				const items = request.items.map(one => (one.productId === "" ? { ...one, productId } : one));
				const refused = as(buyer)("orders.create", { ...request, items });
				await assert.rejects(refused, (error: Error & { code: number; type: string; data: { field: string }[] }) => {
					assert.deepEqual([error.code, error.type, error.data.map(fault => fault.field)], [422, "VALIDATION_ERROR", [field]]);
					return true;
				});
				assert.deepEqual([heldBy(productId), await rowsOf(buyer.id)], [[], []]);
			});

		it("is refused for a product that does not exist, by its id, and reserves nothing of the others", async () => {
			const [buyer, { productId }, unknown] = [newIdentity(), market.add(newProduct()), randomUUID()];
			const items = [productId, unknown].map(id => ({ productId: id, quantity: 1 }));
			const refused = as(buyer)("orders.create", { items, shippingAddress: ADDRESS });
			await assert.rejects(refused, { code: 404, type: "NOT_FOUND", data: { productId: unknown } });
			assert.deepEqual([heldBy(productId), await rowsOf(buyer.id)], [[], []]);
		});

		it("is refused for two lines of one product beyond its stock together, and reserves nothing of the others", async () => {
			const [buyer, rare, other] = [newIdentity(), market.add(newProduct(1, 12)), market.add(newProduct())];
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

		it("fails alone where it cannot be stored, and gives back what it has reserved", async () => {
			const { productId } = market.add(newProduct());
			const asked = { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS };
			const buyers = Array.from({ length: 12 }, () => newIdentity());
			buyers[5] = { ...newIdentity(), id: "a\u0000b" };
			const answers = await Promise.allSettled(buyers.map(buyer => as(buyer)("orders.create", asked)));
			const refused = answers.flatMap((answer, n) => (answer.status === "rejected" ? [[n, answer.reason.type]] : []));
			assert.deepEqual(refused, [[5, "VALIDATION_ERROR"]]);
			assert.equal(market.shelf.get(productId)?.reserved, 11);
		});
	});

	describe("an idempotency key", () => {
		const request = (more: object = {}) => {
			const { productId } = market.add(newProduct());
			return { items: [{ productId, quantity: 2 }], shippingAddress: ADDRESS, idempotencyKey: randomUUID(), ...more };
		};
		const productOf = ({ items }: { items: { productId: string }[] }) => market.shelf.get(items[0]!.productId)!;

		it("makes a hundred requests one order and one reservation, some while the first is under way", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			const early = Array.from({ length: 60 }, () => as(buyer)("orders.create", asked));
			await early[0];
			const late = Array.from({ length: 40 }, () => as(buyer)("orders.create", asked));
			const answers = await Promise.all([...early, ...late]);
			for (const answer of answers) assert.deepEqual(answer, answers[0]);
			const { orderId } = answers[0]!;
			assert.equal((await rowsOf(buyer.id)).length, 1);
			assert.deepEqual(
				(await told(orderId)).map(({ topic, seq }) => [topic, seq]),
				[["order.created", 1]]
			);
			assert.equal(heldBy(productOf(asked).productId).length, 1);
			assert.equal(productOf(asked).reserved, 2);
		});

		it("keeps the first answer, whatever has become of the order, its products and their prices", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			const first = await as(buyer)("orders.create", asked);
			await as(buyer)("orders.cancel", { id: first.orderId });
			market.shelf.delete(productOf(asked).productId);
			assert.deepEqual(await as(buyer)("orders.create", asked), first);
		});

		it("refuses another order, and reserves nothing for it", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			const { orderId } = await as(buyer)("orders.create", asked);
			for (const other of [{ items: [{ ...asked.items[0]!, quantity: 3 }] }, { shippingAddress: { street: "2 Main Street" } }])
				await assert.rejects(as(buyer)("orders.create", { ...asked, ...other }), {
					code: 409,
					type: "CONFLICT",
					data: { orderId }
				});
			assert.equal(productOf(asked).reserved, 2);
		});

		it("refuses another order also while the first is being placed", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			const answers = await Promise.allSettled(
				[2, 3, 2, 3].map(quantity => as(buyer)("orders.create", { ...asked, items: [{ ...asked.items[0]!, quantity }] }))
			);
			const types = answers.map(answer => (answer.status === "rejected" ? answer.reason.type : "stored"));
			assert.deepEqual(types, ["stored", "CONFLICT", "stored", "CONFLICT"]);
			assert.equal(productOf(asked).reserved, 2);
		});

		it("is its buyer's own", async () => {
			const asked = request();
			const [one, other] = await Promise.all([newIdentity(), newIdentity()].map(buyer => as(buyer)("orders.create", asked)));
			assert.notEqual(one!.orderId, other!.orderId);
			assert.equal(productOf(asked).reserved, 4);
		});

		it("keeps no refusal for stock: the same request may be tried again", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			productOf(asked).stock = 1;
			await assert.rejects(as(buyer)("orders.create", asked), { type: "OUT_OF_STOCK" });
			productOf(asked).stock = 2;
			assert.equal((await as(buyer)("orders.create", asked)).total, 25);
		});

		it("finds the order of a request that was told nothing of its fate", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			const real = store().create;
			store().create = async batch => {
				await real(batch);
				throw unavailable("Postgres");
			};
			await assert.rejects(as(buyer)("orders.create", asked), { code: 503, type: "UNAVAILABLE" });
			store().create = real;
			assert.equal(productOf(asked).reserved, 2, "given back what may have been sold");
			const { orderId } = await as(buyer)("orders.create", asked);
			assert.deepEqual([(await rowsOf(buyer.id)).length, productOf(asked).reserved], [1, 2]);
			assert.equal((await told(orderId)).length, 1);
		});

		it("goes on under another id where its first has been settled to be none", async () => {
			const [buyer, asked] = [newIdentity(), request()];
			const [first, second] = [0, 1].map(attempt => orderIdOf(buyer.id, asked.idempotencyKey, attempt));
			market.reserve(first!, asked.items);
			await market.reconcile(as());
			const answers = [await as(buyer)("orders.create", asked), await as(buyer)("orders.create", asked)];
			assert.deepEqual(
				answers.map(({ orderId }) => orderId),
				[second, second]
			);
			assert.equal(productOf(asked).reserved, 2);
			await assert.rejects(as(buyer)("orders.get", { id: first! }), { type: "NOT_FOUND" });
		});

		it("looks again where the stock is refused for what has become of its id meanwhile", async () => {
			const meanwhile = (happens: () => Promise<unknown>) => {
				market.whenPicked = async () => {
					market.whenPicked = async () => {};
					await happens();
				};
			};
			const [buyer, settled, sold] = [newIdentity(), request(), request()];
			meanwhile(async () => {
				market.reserve(orderIdOf(buyer.id, settled.idempotencyKey, 0), settled.items);
				await market.reconcile(as());
			});
			const { orderId } = await as(buyer)("orders.create", settled);
			assert.equal(orderId, orderIdOf(buyer.id, settled.idempotencyKey, 1));

			meanwhile(async () => {
				const { orderId: id } = await as(buyer)("orders.create", sold);
				await as(buyer)("orders.cancel", { id });
				market.end(id);
			});
			const answer = await as(buyer)("orders.create", sold);
			assert.deepEqual(await as(buyer)("orders.get", { id: answer.orderId }), { ...answer, status: "cancelled" });
			assert.equal(productOf(sold).reserved, 0);
		});
	});

	it("is not stored under an id that was settled while it was being placed: it goes on under another, and what it had reserved goes back", async () => {
		const voided: string[] = [];
		market.whenReserved = async orderId => {
			market.whenReserved = async () => {};
			voided.push(orderId);
			assert.deepEqual(await as()("orders.settle", { ids: [orderId] }), []);
		};
		const { orderId, productId } = await ordered();
		assert.equal(voided.length, 1);
		assert.notEqual(orderId, voided[0]);
		assert.equal(market.holds.get(voided[0]!)?.state, "over");
		assert.equal(market.shelf.get(productId)?.reserved, 1);
	});

	it("settles once and for all which ids are orders", async () => {
		const [{ orderId, buyer }, never] = [await ordered(), randomUUID()];
		for (let time = 0; time < 2; time++) assert.deepEqual(await as()("orders.settle", { ids: [never, orderId] }), [orderId]);
		assert.deepEqual(
			await store().create([{ orderId: never, buyerId: buyer.id, items: [], totalCents: 1, shippingAddress: ADDRESS }]),
			["void"]
		);
		assert.deepEqual(await told(never), []);
	});

	it("is answered in time that something is away, whatever that is, and gives nothing back where it may be stored all the same", async () => {
		const never = new Promise<never>(() => {});
		const [buyer, good] = [newIdentity(), market.add(newProduct())];
		const hasty = new ServiceBroker({ logger: false });
		const slow = { ...store(), create: store().create };
		market.createServices(hasty);
		hasty.createService(orders(slow, { timeoutMs: 1_000, mixins: [noTopics] }));
		await hasty.start();
		const refused = () =>
			assert.rejects(
				callAs(hasty, buyer)("orders.create", { items: [{ productId: good.productId, quantity: 1 }], shippingAddress: ADDRESS }),
				{ code: 503, type: "UNAVAILABLE" }
			);
		market.whenPicked = () => never;
		await refused();
		market.whenPicked = async () => {};
		market.whenReserved = () => never;
		await refused();
		market.whenReserved = async () => {};
		slow.create = () => never;
		await refused();
		const held = heldBy(good.productId).map(({ state }) => state);
		assert.ok(held.length > 0 && held.every(state => state === "reserved"), held.join());
		await hasty.stop();
		await market.reconcile(as());
		assert.equal(good.reserved, 0);
	});
};
