// What it costs to order one product that everybody wants, as a ratio: `orders.create`, with all that it takes (the product looked up, stock reserved, the order
// stored, its messages sent to Kafka), against one transaction per order, on the same Postgres: one that does no more than count stock down and store a
// row, and one that stores all that an order is.
//
//     node bench/orders.ts [seconds a round, default 5] [rounds, default 5]
//
// Makes a database of its own at DATABASE_URL and drops it; the messages go to the topics at KAFKA_BROKERS.
import { randomUUID } from "node:crypto";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { config } from "../config.ts";
import type { Caller, Identity } from "../define.ts";
import { openPostgres, database as withTables } from "../mixins/database/database.ts";
import { type Outbox, outbox } from "../mixins/outbox/outbox.ts";
import { relay } from "../mixins/outbox/relay.ts";
import { kafkaLog } from "../mixins/topics/kafka-log.ts";
import { actions, topics } from "../services/contract.ts";
import { inventory } from "../services/inventory/inventory.service.ts";
import { sqlInventory } from "../services/inventory/inventory.store.ts";
import { orders } from "../services/orders/orders.service.ts";
import { sqlOrders } from "../services/orders/orders.store.ts";
import { products } from "../services/products/products.service.ts";
import { sqlProducts } from "../services/products/products.store.ts";
import { scratchPostgres } from "../test/scratch.ts";
import { ContractValidator } from "../validator.ts";
import { forUpdate } from "./baselines/for-update.ts";
import { forUpdateWhole } from "./baselines/for-update-whole.ts";

const CALLERS = 256;
const CONNECTIONS = 10;
const PLENTY = 100_000_000;
const FEW = 100;
const DAY_MS = 86_400_000;
const BUYER = "acct_00000000000000000000000000000001";

interface Shop {
	name: string;
	open(item: string, stock: number): Promise<unknown>;
	/** Whether there was enough. */
	order(id: string, item: string): Promise<boolean>;
	sold(item: string): Promise<number>;
	close(): Promise<unknown>;
}

/** The services as a gateway carries them, with the relays of their outboxes. */
async function services(url: string): Promise<Shop> {
	const database = openPostgres(url, { maxConnections: CONNECTIONS });
	const log = kafkaLog({ brokers: config.kafkaBrokers, clientId: "bench", replication: config.topicReplication });
	await log.create(Object.keys(topics).map(name => ({ name, partitions: 12, retentionMs: DAY_MS, maxBytes: 1024 * 1024 })));
	const broker = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
	const boxOf = (service: string) => outbox(database.knex, { contracts: topics, table: `${service}_outbox` });
	const mixinsOf = (service: string, box: Outbox) => [
		relay(box, log),
		withTables(database, new URL(`../services/${service}/migrations/`, import.meta.url))
	];
	const boxes = { products: boxOf("products"), inventory: boxOf("inventory"), orders: boxOf("orders") };
	// None of them hears what it tells: that would be the work of other nodes.
	const mute = (schema: ServiceSchema) => ({ ...schema, topics: {} });
	const { knex } = database;
	for (const schema of [
		products(sqlProducts(knex, boxes.products), mixinsOf("products", boxes.products)),
		inventory(sqlInventory(knex, boxes.inventory), { mixins: mixinsOf("inventory", boxes.inventory), batches: 2 }),
		orders(sqlOrders(knex, boxes.orders), { mixins: mixinsOf("orders", boxes.orders), batches: 2 })
	])
		broker.createService(mute(schema));
	await broker.start();
	const call = broker.call.bind(broker) as Caller["call"];
	const caller: Identity = { id: BUYER, role: "admin", session: "bench", expiresAtMs: Date.now() + DAY_MS };
	const made = new Map<string, string>();

	return {
		name: "orders.create",
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
		async close() {
			await broker.stop();
			await log.close();
		}
	};
}

const baselines = (url: string): Promise<Shop[]> =>
	Promise.all([
		forUpdate(url, { connections: CONNECTIONS }).then(shop => ({ name: "a transaction per order", ...shop })),
		forUpdateWhole(url, { connections: CONNECTIONS }).then(shop => ({ name: "one with lines, key and outbox", ...shop }))
	]);

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Orders per second of so many callers, each of whom orders again as soon as he is answered. */
async function rate({ open, order }: Shop, seconds: number): Promise<number> {
	const item = randomUUID();
	await open(item, PLENTY);
	const startMs = performance.now();
	const endMs = startMs + seconds * 1_000;
	let orders = 0;
	const caller = async () => {
		while (performance.now() < endMs) if (await order(randomUUID(), item)) orders++;
	};
	await Promise.all(Array.from({ length: CALLERS }, caller));
	return (orders * 1_000) / (performance.now() - startMs);
}

/** How many more than there were are sold when many more are wanted. */
async function oversold({ open, order, sold }: Shop): Promise<number> {
	const item = randomUUID();
	await open(item, FEW);
	const answers = await Promise.all(Array.from({ length: FEW * 10 }, () => order(randomUUID(), item)));
	const accepted = answers.filter(Boolean).length;
	if (accepted !== (await sold(item))) throw new Error(`${accepted} were accepted, ${await sold(item)} are stored`);
	return accepted - FEW;
}

const [seconds = 5, rounds = 5] = process.argv.slice(2).map(Number);
const scratch = await scratchPostgres();
const url: string = scratch.db.knex.client.config.connection.connectionString;
const [ours, theirs] = [await services(url), await baselines(url)];
const shops = [ours, ...theirs];
const ratios = new Map<Shop, number[]>(theirs.map(shop => [shop, []]));
for (let round = 0; round <= rounds; round++) {
	// They take turns, so that a machine that is busy with other things is busy for both.
	const inOrder = round % 2 === 0 ? shops : shops.toReversed();
	const rates = new Map<Shop, number>();
	for (const shop of inOrder) rates.set(shop, await rate(shop, round === 0 ? 1 : seconds));
	const line = shops.map(shop => `${shop.name} ${Math.round(rates.get(shop)!)}/s`).join(", ");
	console.log(`  ${round === 0 ? "warm-up" : `round ${round}`}: ${line}`);
	if (round > 0) for (const [shop, times] of ratios) times.push(rates.get(ours)! / rates.get(shop)!);
}
console.log(`orders on one product, ${CALLERS} callers`);
for (const [{ name }, times] of ratios)
	console.log(`  ${median(times).toFixed(1)} times ${name} (${times.map(one => one.toFixed(1)).join(", ")})`);
for (const shop of shops) console.log(`  ${shop.name}: ${await oversold(shop)} oversold`);
await Promise.all(shops.map(shop => shop.close()));
await scratch.db.close();
await scratch.remove();
