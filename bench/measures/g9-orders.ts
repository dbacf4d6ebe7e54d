import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { openPostgres, database as withTables } from "../../mixins/database/database.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { kafkaLog } from "../../mixins/topics/kafka/kafka-log.ts";
import { config } from "../../runtime/config.ts";
import { actions, topics } from "../../services/contract.ts";
import type { Caller } from "../../services/define-service.ts";
import { sqlInventory } from "../../services/inventory/inventory.store.ts";
import { inventory } from "../../services/inventory/inventory.ts";
import { sqlOrders } from "../../services/orders/orders.store.ts";
import { orders } from "../../services/orders/orders.ts";
import { sqlProducts } from "../../services/products/products.store.ts";
import { products } from "../../services/products/products.ts";
import { eventually } from "../../test/client.ts";
import { noTopics } from "../../test/no-topics.ts";
import { scratchPostgres } from "../../test/scratch.ts";
import { forUpdate } from "../baselines/for-update.ts";
import { forUpdateWhole } from "../baselines/for-update-whole.ts";
import { closedLoop } from "../load.ts";
import type { Measure, Round } from "../measure.ts";
import { deleteRecords } from "../topic.ts";

const CALLERS = 256;
const CONNECTIONS = 10;
const PLENTY = 100_000_000;
/** All are sold, because ten times as many are ordered. */
const FEW = 100;
const DAY_MS = 86_400_000;
const BUYER = "acct_00000000000000000000000000000001";

interface Shop {
	open(item: string, stock: number): Promise<unknown>;
	/** Returns whether the stock sufficed. */
	order(id: string, item: string): Promise<boolean>;
	sold(item: string): Promise<number>;
	/** Resolves once all messages of the orders have been sent. */
	settled?(): Promise<void>;
	/** Further processes. */
	pids?: number[];
	close(): Promise<unknown>;
}

/** The services as a gateway runs them, and a process with the relays of their outboxes. */
async function services(url: string): Promise<Shop> {
	const database = openPostgres(url, { maxConnections: CONNECTIONS });
	const log = kafkaLog({ brokers: config.kafkaBrokers, clientId: "bench", replication: config.topicReplication });
	await log.create(Object.keys(topics).map(name => ({ name, partitions: 12, retentionMs: DAY_MS, maxBytes: 1024 * 1024 })));
	const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
	const boxOf = (service: string) => outbox(database.knex, { contracts: topics, table: `${service}_outbox` });
	const mixinsOf = (service: string) => [
		withTables(database, new URL(`../../services/${service}/migrations/`, import.meta.url)),
		noTopics
	];
	const boxes = { products: boxOf("products"), inventory: boxOf("inventory"), orders: boxOf("orders") };
	// They consume no topics: that is the work of other nodes.
	const withoutTopics = (schema: ServiceSchema) => ({ ...schema, topics: {} });
	const { knex } = database;
	for (const schema of [
		products(sqlProducts(knex, boxes.products), { mixins: mixinsOf("products") }),
		inventory(sqlInventory(knex, boxes.inventory), { mixins: mixinsOf("inventory"), batches: 2 }),
		orders(sqlOrders(knex, boxes.orders), { mixins: mixinsOf("orders"), batches: 2 })
	])
		broker.createService(withoutTopics(schema));
	await broker.start();
	const relays = fork(join(import.meta.dirname, "../relays.process.ts"), [url, ...Object.keys(boxes)]);
	await once(relays, "message");
	const call = broker.call.bind(broker) as Caller["call"];
	const caller: Identity = { id: BUYER, role: "admin", session: "bench", expiresAtMs: Date.now() + DAY_MS };
	const made = new Map<string, string>();

	return {
		async open(item, stock) {
			const asked = { name: item, description: item, price: 5, sku: item, stock };
			made.set(item, (await call("products.create", asked, { meta: { caller } })).productId);
		},
		async order(idempotencyKey, item) {
			const items = [{ productId: made.get(item)!, quantity: 1 }];
			const asked = { items, shippingAddress: { city: "Athens" }, idempotencyKey };
			try {
				await call("orders.create", asked, { meta: { caller } });
				return true;
			} catch (error) {
				if ((error as { type?: string }).type === "OUT_OF_STOCK") return false;
				throw error;
			}
		},
		async sold(item) {
			const { reserved } = await call("inventory.get", { productId: made.get(item)! });
			return reserved;
		},
		async settled() {
			const isEmpty = async () => {
				for (const box of Object.values(boxes)) if ((await box.next(1)).length > 0) throw new Error(`${box.table} is not empty`);
			};
			await eventually(isEmpty, "all messages to have left");
		},
		pids: [relays.pid!],
		async close() {
			relays.kill("SIGKILL");
			await broker.stop();
			await log.close();
			await deleteRecords(Object.keys(topics));
		}
	};
}

/** How many more than the stock are sold when ten times as many are ordered. */
async function oversold({ open, order, sold }: Shop): Promise<number> {
	const item = randomUUID();
	await open(item, FEW);
	const answers = await Promise.all(Array.from({ length: FEW * 10 }, () => order(randomUUID(), item)));
	const accepted = answers.filter(Boolean).length;
	if (accepted !== (await sold(item))) throw new Error(`${accepted} were accepted, ${await sold(item)} are stored`);
	return accepted - FEW;
}

async function ordering(shop: Shop, ms: number): Promise<Round> {
	const item = randomUUID();
	await shop.open(item, PLENTY);
	const startMs = performance.now();
	const round = await closedLoop(CALLERS, ms, async () => {
		if (!(await shop.order(randomUUID(), item))) throw new Error("an order was refused although the stock sufficed");
	});
	await shop.settled?.();
	return { ...round, elapsedMs: performance.now() - startMs, metrics: { oversold: await oversold(shop) } };
}

const against = (
	one: Pick<Measure, "id" | "against" | "targets">,
	theirsOn: (url: string, options: { connections: number }) => Promise<Shop>
): Measure => ({
	...one,
	title: `orders on one product, ${CALLERS} callers: \`orders.create\` with all that it takes, its messages sent to Kafka`,
	layout:
		"products, inventory and orders answer in the client's process, as in a gateway's; their relays in a node's of their own. A round lasts until all messages have left",
	async open() {
		const scratch = await scratchPostgres();
		const ours = await services(scratch.url!);
		const theirs = await theirsOn(scratch.url!, { connections: CONNECTIONS });
		return {
			ours: { name: "orders.create", round: ms => ordering(ours, ms), pids: () => ours.pids ?? [] },
			baseline: { name: "transaction per order", round: ms => ordering(theirs, ms) },
			async close() {
				await Promise.all([ours.close(), theirs.close()]);
				await scratch.db.close();
				await scratch.remove();
			}
		};
	}
});

const NONE_OVERSOLD = { metric: "oversold", most: 0, difference: true };

export const oneProduct = against(
	{
		id: "G9",
		against: `one \`SELECT … FOR UPDATE\` transaction per order on the same Postgres, ${CONNECTIONS} connections as well`,
		targets: [{ metric: "rate", least: 8 }, NONE_OVERSOLD]
	},
	forUpdate
);

export const oneProductWhole = against(
	{
		id: "G9b",
		against:
			"one such transaction per order that stores as much: the lines, the key under which it may be asked for again, the message",
		targets: [NONE_OVERSOLD]
	},
	forUpdateWhole
);
