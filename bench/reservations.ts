// What it costs to reserve one product that everybody wants, as a ratio: the reservation kernel against one transaction per order, on the same Postgres.
//
//     node bench/reservations.ts [seconds a round, default 5] [rounds, default 5]
//
// Makes a database of its own at DATABASE_URL and drops it.
import { randomUUID } from "node:crypto";
import { openPostgres } from "../mixins/database/database.ts";
import { microBatch } from "../mixins/micro-batch.ts";
import type { Request, Reserved } from "../mixins/reservation/reservation.rules.ts";
import { reservations } from "../mixins/reservation/reservation.store.ts";
import { createReservations } from "../mixins/reservation/table.ts";
import { scratchPostgres } from "../test/scratch.ts";
import { forUpdate } from "./baselines/for-update.ts";

const CALLERS = 256;
const CONNECTIONS = 10;
const PLENTY = 100_000_000;
const FEW = 100;

interface Shop {
	name: string;
	open(item: string, stock: number): Promise<unknown>;
	/** Whether there was enough. */
	order(id: string, item: string): Promise<boolean>;
	sold(item: string): Promise<number>;
	close(): Promise<unknown>;
}

/** As the inventory service does it: what arrives together shares a transaction, two at a time. */
async function kernel(url: string): Promise<Shop> {
	const database = openPostgres(url, { maxConnections: CONNECTIONS });
	await createReservations(database.knex, "stock");
	const store = reservations(database.knex, "stock");
	const reserve = microBatch<Request, Reserved>(requests => store.reserve(requests), {
		maxItems: 500,
		maxWaiting: 20_000,
		concurrency: 2
	});
	return {
		name: "kernel",
		open: (item, stock) => store.open([{ item, label: item, stock }]),
		order: async (holder, item) => "done" in (await reserve({ holder, lines: [{ item, quantity: 1 }] })),
		async sold(item) {
			const sums = await database.knex("stock_movements").where({ item, kind: "reserve" }).sum("quantity");
			return Number(sums[0]?.sum);
		},
		close: () => database.close()
	};
}

const baseline = async (url: string): Promise<Shop> => ({
	name: "transaction per order",
	...(await forUpdate(url, { connections: CONNECTIONS }))
});

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
const [ours, theirs] = [await kernel(url), await baseline(url)];
const ratios: number[] = [];
for (let round = 0; round <= rounds; round++) {
	// They take turns, so that a machine that is busy with other things is busy for both.
	const inOrder = round % 2 === 0 ? [ours, theirs] : [theirs, ours];
	const rates = new Map<Shop, number>();
	for (const shop of inOrder) rates.set(shop, await rate(shop, round === 0 ? 1 : seconds));
	const line = [ours, theirs].map(shop => `${shop.name} ${Math.round(rates.get(shop)!)}/s`).join(", ");
	console.log(`  ${round === 0 ? "warm-up" : `round ${round}`}: ${line}`);
	if (round > 0) ratios.push(rates.get(ours)! / rates.get(theirs)!);
}
const list = ratios.map(one => one.toFixed(1)).join(", ");
console.log(`orders on one product, ${CALLERS} callers: ${median(ratios).toFixed(1)} times a transaction per order (${list})`);
for (const shop of [ours, theirs]) console.log(`  ${shop.name}: ${await oversold(shop)} oversold`);
await Promise.all([ours.close(), theirs.close(), scratch.db.close()]);
await scratch.remove();
