// What the orders service promises, on whichever Postgres stands behind it.

import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import type { Knex } from "knex";
import { type Service, ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/database.ts";
import { waitUntilReachable } from "../../mixins/dependency.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { noTopics } from "../../test/no-topics.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { lifeSuite } from "./orders.life.suite.ts";
import { placingSuite } from "./orders.placing.suite.ts";
import { type OrderStore, sqlOrders } from "./orders.store.ts";
import { callAs, type FakeStock, fakeStock, newIdentity, newProduct } from "./orders.testing.ts";
import { orders } from "./orders.ts";

interface Told {
	topic: string;
	message: Record<string, unknown>;
	seq: number;
	requestID: string | undefined;
}

/** One node of the service, its market, and what the tests look at. */
export interface OrdersNode {
	market: FakeStock;
	/** What the service keeps its orders in; tests may put something in its way. */
	store: () => OrderStore;
	service: () => Service;
	db: () => Knex;
	as: (caller?: Identity) => Caller["call"];
	/** What will be on the topics of an order, in the order in which it was made. */
	told: (orderId: string) => Promise<Told[]>;
	/** An order of a fresh buyer for one fresh product. */
	ordered: () => Promise<{ orderId: string; buyer: Identity; call: Caller["call"]; productId: string }>;
}

/** A machine that is busy with other things is no fault of the service. */
export const PATIENT_MS = 60_000;
export const ADDRESS = { street: "1 Main Street", city: "Athens" };

export const ordersSuite = (where: string, open: () => Promise<Scratch>) =>
	describe(`orders on ${where}`, () => {
		const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
		const goods = fakeStock();
		let scratch: Scratch;
		let store: OrderStore;

		before(async () => {
			scratch = await open();
			await waitUntilReachable(scratch.db, broker.logger, () => false);
			await migrate(scratch.db, new URL("./migrations/", import.meta.url));
			store = sqlOrders(scratch.db.knex, outbox(scratch.db.knex, { contracts: topics, table: "orders_outbox" }));
			goods.createServices(broker);
			broker.createService(orders(store, { batches: 2, timeoutMs: PATIENT_MS, mixins: [noTopics] }));
			await broker.start();
		});
		after(async () => {
			await broker.stop();
			await scratch?.db.close();
			await scratch?.remove();
		});

		const node: OrdersNode = {
			market: goods,
			store: () => store,
			service: () => broker.getLocalService("orders") as Service,
			db: () => scratch.db.knex,
			as: caller => callAs(broker, caller),
			async told(orderId) {
				const rows = await scratch.db.knex("orders_outbox").where({ key: orderId }).orderBy("id");
				return rows.map(({ topic, value, headers }) => {
					assert.match(headers.after_ms ?? "1", /^[1-9]\d*$/);
					return { topic, message: JSON.parse(value), seq: Number(headers.seq), requestID: headers["request-id"] };
				});
			},
			async ordered() {
				const [buyer, { productId }] = [newIdentity(), goods.add(newProduct())];
				const call = callAs(broker, buyer);
				const { orderId } = await call("orders.create", { items: [{ productId, quantity: 1 }], shippingAddress: ADDRESS });
				return { orderId, buyer, call, productId };
			}
		};
		placingSuite(node);
		lifeSuite(node);
	});
