// The promises of `orders.create` with an idempotency key.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, it } from "node:test";
import { unavailable } from "../../mixins/errors.ts";
import { sweepOrphanedReservations } from "./orders.orphaned-reservations.ts";
import { orderIdOf } from "./orders.rules.ts";
import { ADDRESS, newIdentity, newProduct, type OrdersNode } from "./orders.testing.ts";

export const idempotencySuite = ({ stock, store, db, as, published }: OrdersNode) => {
	const rowsOf = (buyerId: string) => db()("orders").where({ buyer_id: buyerId });
	const reservationsOf = (productId: string) => [...stock.reservations.values()].filter(({ lines }) => lines.has(productId));

	describe("an idempotency key", () => {
		const newRequest = (more: object = {}) => {
			const { productId } = stock.add(newProduct());
			return { items: [{ productId, quantity: 2 }], shippingAddress: ADDRESS, idempotencyKey: randomUUID(), ...more };
		};
		const productOf = ({ items }: { items: { productId: string }[] }) => stock.products.get(items[0]!.productId)!;

		it("makes a hundred requests one order and one reservation, some of them concurrent with the first", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			const early = Array.from({ length: 60 }, () => as(buyer)("orders.create", request));
			await early[0];
			const late = Array.from({ length: 40 }, () => as(buyer)("orders.create", request));
			const answers = await Promise.all([...early, ...late]);
			for (const answer of answers) assert.deepEqual(answer, answers[0]);
			const { orderId } = answers[0]!;
			assert.equal((await rowsOf(buyer.id)).length, 1);
			assert.deepEqual(
				(await published(orderId)).map(({ topic, seq }) => [topic, seq]),
				[["order.created", 1]]
			);
			assert.equal(reservationsOf(productOf(request).productId).length, 1);
			assert.equal(productOf(request).reserved, 2);
		});

		it("keeps the first answer after the order is cancelled and its product is deleted", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			const first = await as(buyer)("orders.create", request);
			await as(buyer)("orders.cancel", { id: first.orderId });
			stock.products.delete(productOf(request).productId);
			assert.deepEqual(await as(buyer)("orders.create", request), first);
		});

		it("refuses a different order, and reserves nothing for it", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			const { orderId } = await as(buyer)("orders.create", request);
			for (const other of [{ items: [{ ...request.items[0]!, quantity: 3 }] }, { shippingAddress: { street: "2 Main Street" } }])
				await assert.rejects(as(buyer)("orders.create", { ...request, ...other }), {
					code: 409,
					type: "CONFLICT",
					data: { orderId }
				});
			assert.equal(productOf(request).reserved, 2);
		});

		it("refuses a different order also while the first is being placed", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			const answers = await Promise.allSettled(
				[2, 3, 2, 3].map(quantity => as(buyer)("orders.create", { ...request, items: [{ ...request.items[0]!, quantity }] }))
			);
			const types = answers.map(answer => (answer.status === "rejected" ? answer.reason.type : "stored"));
			assert.deepEqual(types, ["stored", "CONFLICT", "stored", "CONFLICT"]);
			assert.equal(productOf(request).reserved, 2);
		});

		it("belongs to its buyer: another buyer may use the same key", async () => {
			const request = newRequest();
			const [one, other] = await Promise.all([newIdentity(), newIdentity()].map(buyer => as(buyer)("orders.create", request)));
			assert.notEqual(one!.orderId, other!.orderId);
			assert.equal(productOf(request).reserved, 4);
		});

		it("does not keep a refusal for stock: the same request may be retried", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			productOf(request).stock = 1;
			await assert.rejects(as(buyer)("orders.create", request), { type: "OUT_OF_STOCK" });
			productOf(request).stock = 2;
			assert.equal((await as(buyer)("orders.create", request)).total, 25);
		});

		it("finds the order of a request whose answer was lost", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			const real = store().create;
			store().create = async batch => {
				await real(batch);
				throw unavailable("Postgres");
			};
			await assert.rejects(as(buyer)("orders.create", request), { code: 503, type: "UNAVAILABLE" });
			store().create = real;
			assert.equal(productOf(request).reserved, 2, "released a reservation whose order may be stored");
			const { orderId } = await as(buyer)("orders.create", request);
			assert.deepEqual([(await rowsOf(buyer.id)).length, productOf(request).reserved], [1, 2]);
			assert.equal((await published(orderId)).length, 1);
		});

		it("uses the next id if its first is void", async () => {
			const [buyer, request] = [newIdentity(), newRequest()];
			const [first, second] = [0, 1].map(attempt => orderIdOf(buyer.id, request.idempotencyKey, attempt));
			stock.reserve(first!, request.items);
			await sweepOrphanedReservations(stock.sweepable, store().voidUnknown, 0);
			const answers = [await as(buyer)("orders.create", request), await as(buyer)("orders.create", request)];
			assert.deepEqual(
				answers.map(({ orderId }) => orderId),
				[second, second]
			);
			assert.equal(productOf(request).reserved, 2);
			await assert.rejects(as(buyer)("orders.get", { id: first! }), { type: "NOT_FOUND" });
		});

		it("handles an id that becomes void, or a cancelled order, while its stock is refused", async () => {
			const beforeReserving = (act: () => Promise<unknown>) => {
				stock.whenPicked = async () => {
					stock.whenPicked = async () => {};
					await act();
				};
			};
			const [buyer, voided, sold] = [newIdentity(), newRequest(), newRequest()];
			beforeReserving(async () => {
				stock.reserve(orderIdOf(buyer.id, voided.idempotencyKey, 0), voided.items);
				await sweepOrphanedReservations(stock.sweepable, store().voidUnknown, 0);
			});
			const { orderId } = await as(buyer)("orders.create", voided);
			assert.equal(orderId, orderIdOf(buyer.id, voided.idempotencyKey, 1));

			beforeReserving(async () => {
				const { orderId: id } = await as(buyer)("orders.create", sold);
				await as(buyer)("orders.cancel", { id });
				stock.release(id);
			});
			const answer = await as(buyer)("orders.create", sold);
			assert.deepEqual(await as(buyer)("orders.get", { id: answer.orderId }), { ...answer, status: "cancelled" });
			assert.equal(productOf(sold).reserved, 0);
		});
	});
};
