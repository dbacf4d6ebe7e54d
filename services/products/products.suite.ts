// The promises of the products service, on any Postgres.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type Context, Errors, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { eventually } from "../../test/client.ts";
import { CollectingLogger } from "../../test/collecting-logger.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { sqlProducts } from "./products.store.ts";
import { products } from "./products.ts";

export const productsSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`products, ${where}`, () => {
		const logger = new CollectingLogger();
		const broker = new ServiceBroker({ logger, validator: new ContractValidator(actions) });
		const call = broker.call.bind(broker) as Caller["call"];
		/** The stock of each product, for a fake inventory service. */
		const stocks = new Map<string, number>();
		let isInventoryUnavailable = false;
		let levelCalls = 0;
		/** Called before the fake answers: a test can delay it. */
		let whenAsked = async () => {};
		const inventory = {
			name: "inventory",
			actions: {
				open(ctx: Context<{ productId: string; stock: number }>) {
					if (isInventoryUnavailable) throw new Errors.ServiceNotAvailableError({ action: "inventory.open", nodeID: "" });
					stocks.set(ctx.params.productId, ctx.params.stock);
					return null;
				},
				async levels(ctx: Context<{ ids: string[] }>) {
					levelCalls++;
					await whenAsked();
					return ctx.params.ids.map(productId => ({ productId, stock: stocks.get(productId) ?? 0, reserved: 0 }));
				}
			}
		};
		let scratch: Scratch;

		before(async () => {
			scratch = await open();
			await migrate(scratch.db, new URL("./migrations/", import.meta.url), "products_migrations");
			const { knex } = scratch.db;
			broker.createService(products(sqlProducts(knex, outbox(knex, { contracts: topics, table: "products_outbox" }))));
			broker.createService(inventory);
			await broker.start();
		});
		after(async () => {
			await broker?.stop();
			await scratch?.db.close();
			await scratch?.remove();
		});

		const newRequest = () => ({ name: "Olive oil", description: "One litre", price: 12.5, sku: randomUUID(), stock: 12 });
		/** The messages of a product in the outbox, in order. */
		const published = async (productId: string) => {
			const rows = await scratch.db.knex("products_outbox").where({ key: productId }).orderBy("id");
			return rows.map(({ topic, value, headers }) => [topic, JSON.parse(value), headers]);
		};

		it("creates a product with its own id, publishes it, and adds its stock at once", async () => {
			const wanted = newRequest();
			const product = await call("products.create", wanted, { requestID: "request-1" });
			const { productId, createdAt } = product;
			assert.deepEqual(product, { ...wanted, category: "general", productId, createdAt });
			assert.match(createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
			assert.equal(stocks.get(productId), 12);
			const { name, sku, price, stock } = wanted;
			const message = { productId, name, sku, price, stock, category: "general" };
			assert.deepEqual(await published(productId), [["product.created", message, { version: "1", "request-id": "request-1" }]]);
			assert.deepEqual(await call("products.get", { id: productId }), product);
		});

		it("refuses a sku that is taken, also under concurrent requests, and creates nothing", async () => {
			const wanted = newRequest();
			const answers = await Promise.allSettled([call("products.create", wanted), call("products.create", wanted)]);
			const refused = answers.flatMap(answer => (answer.status === "rejected" ? [answer.reason] : []));
			assert.deepEqual(
				refused.map(({ code, type, data }) => [code, type, data]),
				[[409, "CONFLICT", { field: "sku" }]]
			);
			await assert.rejects(call("products.create", { ...newRequest(), sku: wanted.sku }), { type: "CONFLICT" });
			assert.equal((await scratch.db.knex("products").where({ sku: wanted.sku })).length, 1);
		});

		it("creates a product also while inventory is unavailable; inventory adds it from its message", async () => {
			isInventoryUnavailable = true;
			const { productId } = await call("products.create", newRequest()).finally(() => {
				isInventoryUnavailable = false;
			});
			assert.equal((await published(productId)).length, 1);
			assert.equal((await call("products.get", { id: productId })).stock, 0);
		});

		it("refuses an invalid product, with the field's name", async () => {
			const wrong = {
				name: ["", " ", "x".repeat(201), "a\u0000b", "\ud800"],
				description: ["", "x".repeat(5_001)],
				price: [0, -1, 1.005, 1_000_000.01, "1"],
				sku: ["", "x".repeat(65), "a\nb"],
				stock: [-1, 1.5, 1_000_000_001, "1"],
				category: ["", "x".repeat(65)],
				colour: ["red"]
			};
			for (const [field, values] of Object.entries(wrong))
				for (const value of values)
					await assert.rejects(
						call("products.create", { ...newRequest(), [field]: value } as never),
						(error: { code?: number; type?: string; data?: { field: string }[] }) => {
							assert.deepEqual([error.code, error.type], [422, "VALIDATION_ERROR"]);
							assert.ok(field === "colour" || error.data?.some(one => one.field === field), `${field}: ${value}`);
							return true;
						}
					);
		});

		it("reads the lists of one client's address one after the other, and those of another address meanwhile", async () => {
			await call("products.create", newRequest());
			const callsBefore = levelCalls;
			const answers: (() => void)[] = [];
			whenAsked = () => new Promise(resolve => answers.push(resolve));
			const list = (address: string) => call("products.list", { limit: 1 }, { meta: { address } });
			const first = [list("192.0.2.1"), list("192.0.2.1"), list("192.0.2.1")];
			try {
				await eventually(() => assert.equal(levelCalls, callsBefore + 1), "the first list");
				const other = list("192.0.2.2");
				await eventually(() => assert.equal(levelCalls, callsBefore + 2), "the other client's list");
				answers.pop()!();
				assert.equal((await other).length, 1);
				assert.equal(levelCalls, callsBefore + 2);
			} finally {
				whenAsked = async () => {};
				for (const answer of answers) answer();
			}
			assert.deepEqual(
				(await Promise.all(first)).map(({ length }) => length),
				[1, 1, 1]
			);
		});

		it("lists products in the order of creation, page by page, with one call for the stock of a page", async () => {
			const before = await call("products.list", { limit: 200 });
			const created = [];
			for (let n = 0; n < 5; n++) created.push(await call("products.create", { ...newRequest(), stock: n }));
			const callsBefore = levelCalls;
			const first = await call("products.list", { after: before.at(-1)?.productId, limit: "2" });
			const rest = await call("products.list", { after: first.at(-1)!.productId, limit: "200" });
			assert.deepEqual([...first, ...rest], created);
			assert.equal(first.length, 2);
			assert.equal(levelCalls, callsBefore + 2);
			assert.deepEqual(await call("products.list", { after: created.at(-1)!.productId }), []);
		});

		it("refuses an invalid limit, and an `after` that is not a product", async () => {
			for (const limit of ["0", "201", "-1", "1.5", "x"])
				await assert.rejects(call("products.list", { limit }), { code: 422, type: "VALIDATION_ERROR" }, limit);
			await assert.rejects(call("products.list", { after: randomUUID() }), {
				code: 422,
				data: [{ field: "after", message: "must be the productId of a product" }]
			});
		});

		it("changes a product and publishes it with the present stock; an update without a change publishes nothing", async () => {
			const product = await call("products.create", newRequest());
			const { productId, sku } = product;
			stocks.set(productId, 9);
			const changes = { name: "Oil", price: 11, category: "food" };
			const updated = await call("products.update", { id: productId, ...changes });
			assert.deepEqual(updated, { ...product, ...changes, stock: 9 });
			assert.deepEqual(await call("products.update", { id: productId, ...changes }), updated);
			await call("products.update", { id: productId, description: "Two litres" });
			const message = { productId, ...changes, sku, stock: 9 };
			const updates = (await published(productId)).slice(1).map(([topic, value, { version }]) => [topic, value, version]);
			assert.deepEqual(updates, [
				["product.updated", message, "2"],
				["product.updated", message, "3"]
			]);
			assert.equal((await call("products.get", { id: productId })).description, "Two litres");
		});

		it("logs that a product was created or changed, with ids only", async () => {
			const { productId } = await call("products.create", newRequest());
			await call("products.update", { id: productId, price: 13 });
			const logged = logger.lines.filter(line => line.includes(productId)).map(line => line.replace(/, requestID.*/, ""));
			const subject = `{ product: '${productId}', by: 'operator'`;
			assert.deepEqual(logged, [`created a product ${subject}`, `changed a product ${subject}`]);
		});

		it("refuses an empty update, a field that cannot be changed, and an unknown product", async () => {
			const { productId: id } = await call("products.create", newRequest());
			for (const changes of [{}, { sku: "other" }, { stock: 3 }, { price: 0.001 }, { name: "" }])
				await assert.rejects(call("products.update", { id, ...changes } as never), { code: 422, type: "VALIDATION_ERROR" });
			await assert.rejects(call("products.update", { id }), {
				data: [{ field: "name", message: "give at least one of name, description, price and category" }]
			});
			const gone = { code: 404, type: "NOT_FOUND" };
			await assert.rejects(call("products.update", { id: randomUUID(), price: 1 }), gone);
			await assert.rejects(call("products.get", { id: randomUUID() }), gone);
		});

		it("picks the fields that an order needs, without unknown products", async () => {
			const { productId, sku, name, price } = await call("products.create", newRequest());
			assert.deepEqual(await call("products.pick", { ids: [randomUUID(), productId, productId] }), [
				{ productId, sku, name, price }
			]);
		});
	});
