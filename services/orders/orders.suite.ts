// The promises of the orders service, on any Postgres.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { type Service, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { waitUntilReachable } from "../../mixins/dependency.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { CollectingLogger } from "../../test/collecting-logger.ts";
import { noTopics } from "../../test/no-topics.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import { idempotencySuite } from "./orders.idempotency.suite.ts";
import { lifeSuite } from "./orders.life.suite.ts";
import { placingSuite } from "./orders.placing.suite.ts";
import { type OrderStore, sqlOrders } from "./orders.store.ts";
import { ADDRESS, callAs, fakeStock, newIdentity, newProduct, type OrdersNode } from "./orders.testing.ts";
import { orders } from "./orders.ts";

/** Long enough for a busy machine. */
export const PATIENT_MS = 60_000;

export const ordersSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`orders on ${where}`, () => {
		const logger = new CollectingLogger();
		const broker = new ServiceBroker({ logger, validator: new ContractValidator(actions) });
		const stock = fakeStock();
		let scratch: Scratch;
		let store: OrderStore;

		before(async () => {
			scratch = await open();
			await waitUntilReachable(scratch.db, broker.logger, () => false);
			await migrate(scratch.db, new URL("./migrations/", import.meta.url), "orders_migrations");
			store = sqlOrders(scratch.db.knex, outbox(scratch.db.knex, { contracts: topics, table: "orders_outbox" }));
			stock.createServices(broker);
			broker.createService(orders(store, { batches: 2, timeoutMs: PATIENT_MS, mixins: [noTopics] }));
			await broker.start();
		});
		after(async () => {
			await broker.stop();
			await scratch?.db.close();
			await scratch?.remove();
		});

		const node: OrdersNode = {
			stock,
			lines: logger.lines,
			store: () => store,
			service: () => broker.getLocalService("orders") as Service,
			db: () => scratch.db.knex,
			as: caller => callAs(broker, caller),
			async published(orderId) {
				const rows = await scratch.db.knex("orders_outbox").where({ key: orderId }).orderBy("id");
				return rows.map(({ topic, value, headers }) => {
					assert.match(headers.after_ms ?? "1", /^[1-9]\d*$/);
					return { topic, message: JSON.parse(value), seq: Number(headers.seq), requestID: headers["request-id"] };
				});
			},
			async newOrder() {
				const [buyer, { productId }] = [newIdentity(), stock.add(newProduct())];
				const call = callAs(broker, buyer);
				const { orderId } = await call("orders.create", { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS });
				return { orderId, buyer, call, productId };
			}
		};
		placingSuite(node);
		idempotencySuite(node);
		lifeSuite(node);
	});
