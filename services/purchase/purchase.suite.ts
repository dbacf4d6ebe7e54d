// The promises of the purchase service, on any Postgres.
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import type { Knex } from "knex";
import { ServiceBroker } from "moleculer";
import type { Database } from "../../mixins/database/database.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { waitUntilReachable } from "../../mixins/dependency.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { actionSuite } from "./purchase.actions.suite.ts";
import { batchSuite } from "./purchase.batch.suite.ts";
import type { Attempt } from "./purchase.rules.ts";
import { type PurchaseStore, sqlPurchases } from "./purchase.store.ts";
import type { Published, PurchaseNodes } from "./purchase.testing.ts";
import { purchase } from "./purchase.ts";

/** `open`: the connections of two nodes to one new database; the embedded Postgres has only one. */
export const purchaseSuite = (
	profile: string,
	open: () => Promise<{ databases: [Database, Database]; close: () => Promise<void> }>
) =>
	describe(`purchases, ${profile}`, () => {
		const broker = new ServiceBroker({ logger: false });
		let close: () => Promise<void>;
		let knex: Knex;
		let stores: [PurchaseStore, PurchaseStore];

		before(async () => {
			const opened = await open();
			close = opened.close;
			const [database] = opened.databases;
			knex = database.knex;
			await waitUntilReachable(database, broker.logger, () => false);
			await migrate(database, new URL("./migrations/", import.meta.url), "purchase_migrations");
			stores = opened.databases.map(one => sqlPurchases(one.knex, outbox(one.knex, { contracts: topics }))) as typeof stores;
			broker.createService(purchase(stores[0]));
			await broker.start();
		});
		after(async () => {
			await broker.stop();
			await close?.();
		});

		const published = async (userID: string): Promise<Published[]> => {
			const rows = await knex("outbox").where({ topic: "user_purchase", key: userID }).orderBy("id");
			return rows.map(({ value, headers }) => {
				const { id, user_id, amount, created_at: createdAt } = JSON.parse(value);
				assert.equal(user_id, userID);
				const { seq, total_cents, "request-id": requestID } = headers;
				return { id, amount, createdAt, seq: Number(seq), totalCents: Number(total_cents), requestID };
			});
		};
		const buyAndDisconnect = (attempts: Attempt[]) => {
			const lost = { timeout: () => Promise.reject(Object.assign(new Error("connection lost"), { code: "ECONNRESET" })) };
			const raw = (sql: string, values: Knex.Value[]) => (/^\s*select/.test(sql) ? lost : knex.raw(sql, values));
			return sqlPurchases({ raw } as unknown as Knex, outbox(knex, { contracts: topics })).buy(attempts);
		};
		const nodes: PurchaseNodes = {
			buyAndDisconnect,
			db: table => knex(table),
			buy: [(attempts: Attempt[]) => stores[0].buy(attempts), (attempts: Attempt[]) => stores[1].buy(attempts)],
			totals: userIDs => stores[1].totals(userIDs),
			call: broker.call.bind(broker) as Caller["call"],
			published
		};
		actionSuite(nodes);
		batchSuite(nodes);
	});
