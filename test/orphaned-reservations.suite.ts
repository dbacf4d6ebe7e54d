// Reservations without an order, across orders and inventory, on any Postgres.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { type Context, type Logger, type Service, ServiceBroker } from "moleculer";
import { ContractValidator } from "../contract/validator.ts";
import { migrate } from "../mixins/database/migrate.ts";
import { outbox } from "../mixins/outbox/outbox.ts";
import { actions, topics } from "../services/contract.ts";
import type { Caller, Message } from "../services/define-service.ts";
import { sqlInventory } from "../services/inventory/inventory.store.ts";
import { inventory } from "../services/inventory/inventory.ts";
import {
	inventoryReservations,
	startOrphanSweep,
	sweepOrphanedReservations
} from "../services/orders/orders.orphaned-reservations.ts";
import { type OrderStore, sqlOrders } from "../services/orders/orders.store.ts";
import { callAs, deliver, newIdentity } from "../services/orders/orders.testing.ts";
import { orders } from "../services/orders/orders.ts";
import { eventually } from "./client.ts";
import { noTopics } from "./no-topics.ts";
import type { Scratch } from "./scratch.ts";

const ADDRESS = { street: "1 Main Street" };
const HOUR_MS = 3_600_000;

export const orphanedReservationsSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`orphaned reservations, ${where}`, () => {
		const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
		const call = broker.call.bind(broker) as Caller["call"];
		const reservations = inventoryReservations({ call });
		const products = {
			name: "products",
			actions: {
				pick: (ctx: Context<{ ids: string[] }>) =>
					ctx.params.ids.map(productId => ({ productId, sku: "OIL-1", name: "Olive oil", price: 12.5 }))
			}
		};
		let scratch: Scratch;
		let store: OrderStore;

		before(async () => {
			scratch = await open();
			const { knex } = scratch.db;
			for (const owner of ["orders", "inventory"])
				await migrate(scratch.db, new URL(`../services/${owner}/migrations/`, import.meta.url), `${owner}_migrations`);
			const outboxOf = (owner: string) => outbox(knex, { contracts: topics, table: `${owner}_outbox` });
			store = sqlOrders(knex, outboxOf("orders"));
			broker.createService(products);
			broker.createService(inventory(sqlInventory(knex, outboxOf("inventory")), { mixins: [noTopics] }));
			// The service's own sweep must not touch reservations that are younger than this.
			broker.createService(orders(store, { mixins: [noTopics], orphanSweep: { everyMs: 20, olderThanMs: HOUR_MS } }));
			await broker.start();
		});
		after(async () => {
			await broker?.stop();
			await scratch?.db.close();
			await scratch?.remove();
		});

		const newProduct = async () => {
			const productId = randomUUID();
			await call("inventory.open", { productId, sku: "OIL-1", stock: 12 });
			return productId;
		};
		const reserve = async (productId: string, quantity: number) => {
			const orderId = randomUUID();
			assert.deepEqual(await call("inventory.reserve", { orders: [{ orderId, lines: [{ productId, quantity }] }] }), [null]);
			return orderId;
		};
		const level = async (productId: string) => {
			const { stock, reserved } = await call("inventory.get", { productId });
			return [stock, reserved];
		};
		const created = (orderId: string): Message<"order.created"> => ({
			orderId,
			buyerId: "b",
			items: [],
			total: 1,
			status: "pending",
			createdAt: ""
		});

		it("are released once over two nodes, and those of stored orders are confirmed", async () => {
			const productId = await newProduct();
			const orphan = await reserve(productId, 3);
			const { orderId } = await callAs(broker, newIdentity())("orders.create", {
				items: [{ productId, quantity: 2 }],
				shippingAddress: ADDRESS
			});
			const early = await sweepOrphanedReservations(reservations, store.voidUnknown, HOUR_MS);
			assert.deepEqual(early, { confirmed: [], released: [] }, "younger than the given age");
			assert.deepEqual(await level(productId), [12, 5]);

			const lines: { order?: string }[] = [];
			const logger = { info: (_: string, data: object) => void lines.push(data ?? {}), warn: () => {} } as unknown as Logger;
			const options = { everyMs: 10, olderThanMs: 0 };
			const nodes = [1, 2].map(() => startOrphanSweep(reservations, store.voidUnknown, logger, options));
			await eventually(async () => assert.deepEqual(await level(productId), [10, 0]), "both reservations to be final");
			await Promise.all(nodes.map(node => node.stop()));
			assert.equal(lines.filter(({ order }) => order === orphan).length, 1, "released by one of two nodes");
			assert.equal(lines.filter(({ order }) => order === orderId).length, 0);

			await deliver(broker.getLocalService("inventory") as Service, "order.created", created(orderId), created(orphan));
			assert.deepEqual(await level(productId), [10, 0]);
			assert.equal((await scratch.db.knex("inventory_outbox").where({ key: productId })).length, 1);
		});

		it("never belong to an order that is stored later", async () => {
			const productId = await newProduct();
			const orphan = await reserve(productId, 3);
			await sweepOrphanedReservations(reservations, store.voidUnknown, 0);
			const late = { orderId: orphan, buyerId: "b", items: [], totalCents: 1, shippingAddress: ADDRESS };
			assert.deepEqual(await store.create([late]), ["void"]);
			assert.deepEqual(await level(productId), [12, 0]);
		});

		it("stay reserved while it is unknown which of them have an order", async () => {
			const productId = await newProduct();
			await reserve(productId, 3);
			const unavailable = () => Promise.reject(new Error("unavailable"));
			await assert.rejects(sweepOrphanedReservations(reservations, unavailable, 0), /unavailable/);
			assert.deepEqual(await level(productId), [12, 3]);
		});
	});
