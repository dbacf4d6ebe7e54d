// Compares the recorded operations of the load generator with every store and topic, without the system's APIs.
import assert from "node:assert/strict";
import type { Client } from "cassandra-driver";
import { eventually } from "../client.ts";
import type { Ledger } from "../ledger.ts";
import type { Entry } from "../load-generator.ts";
import { kafkaRecords, psql, redis, withCassandra } from "../outside.ts";
import type { OrderEntry } from "./order-load.ts";

const IDS_PER_READ = 100;

const quoted = (texts: readonly string[]) => texts.map(text => `'${text}'`).join();
const idOf = ({ body }: Entry) => body.id;

const none = (what: string, missing: string[]) =>
	assert.equal(missing.length, 0, `${missing.length} ${what}: ${missing.slice(0, 5).join(", ")}`);

/** The values of one field in a topic's records since this time. Records may be invalid. */
async function fieldValues(topic: string, field: string, sinceMs: number): Promise<Set<unknown>> {
	const fieldOf = (payload: string | null) => {
		try {
			return JSON.parse(payload ?? "")[field];
		} catch {
			return undefined;
		}
	};
	return new Set((await kafkaRecords(topic, sinceMs)).map(({ payload }) => fieldOf(payload)));
}

/** Checks that every purchase has exactly one row with its amount, that there are no others, and that all totals are correct. */
async function inPostgres({ entries, userIDs, names, sums }: Ledger) {
	const rows = await psql(`select id, user_id, amount_cents from purchases where user_id in (${quoted(userIDs)})`);
	const bought = new Map(rows.map(([id, user, cents]) => [id, `${user} ${cents}`]));
	const sold = entries.filter(({ kind }) => kind === "purchase");
	const missing = sold.filter(({ body }) => {
		const { id, user_id, amount } = body as { id: string; user_id: string; amount: number };
		return bought.get(id) !== `${user_id} ${Math.round(amount * 100)}`;
	});
	none("purchases are missing or wrong in Postgres", missing.map(idOf));
	assert.equal(rows.length, sold.length, "purchases in Postgres");
	const all = sums();
	const totals = await psql(`select user_id, total_cents from purchase_totals where user_id in (${quoted(userIDs)})`);
	for (const [user, cents] of totals) assert.equal(Number(cents), all.get(user as string), `the total of ${user} in Postgres`);
	const summary = await psql(`select name, count from selections_summary where name in (${quoted(names)})`);
	for (const [name, count] of summary) assert.equal(Number(count), all.get(name as string), `the count of ${name} in Postgres`);
}

async function inRedis({ userIDs, sums }: Ledger) {
	const all = sums();
	const holds = async (user: string) => {
		const cents = await redis("hget", `wallet:${user}`, "total_cents");
		assert.equal(Number(cents), all.get(user), `the total of ${user} in Redis (${cents || "none"})`);
	};
	for (const user of userIDs) if (all.get(user)) await holds(user);
}

async function inCassandra(client: Client, { entries, names, sums }: Ledger, recent: readonly Entry[]) {
	const picks = recent.filter(({ kind }) => kind === "pick").map(idOf);
	const found = new Set<string>();
	for (let n = 0; n < picks.length; n += IDS_PER_READ) {
		const some = picks.slice(n, n + IDS_PER_READ);
		const { rows } = await client.execute("select id from selections where id in ?", [some], { prepare: true });
		for (const { id } of rows) found.add(id);
	}
	none(
		"picks are not in Cassandra",
		picks.filter(id => !found.has(id))
	);
	const all = sums();
	for (const name of names) {
		const counted = await client.execute("select count(1) as count from selections where name = ?", [name], { prepare: true });
		assert.equal(Number(counted.first().count), all.get(name), `${name} in Cassandra, of ${entries.length} entries`);
	}
}

async function onTopics(recent: readonly Entry[], orders: readonly OrderEntry[], sinceMs: number) {
	const missing = async (topic: string, field: string, ids: readonly (string | undefined)[]) => {
		const seen = await fieldValues(topic, field, sinceMs);
		none(`are not on ${topic}`, ids.filter(id => id !== undefined && !seen.has(id)).map(String));
	};
	const ids = (kind: Entry["kind"]) => recent.filter(one => one.kind === kind).map(idOf);
	const placed = orders.map(({ orderId }) => orderId);
	const cancelled = orders.filter(({ cancel }) => cancel === "acknowledged").map(({ orderId }) => orderId);
	await missing("Selections", "id", ids("pick"));
	await missing("user_purchase", "id", ids("purchase"));
	await missing("order.created", "orderId", placed);
	await missing("order.cancelled", "orderId", cancelled);
}

/** `recent`, `orders`: the operations since `sinceMs`. All of them must be settled, and the system idle. */
export async function audit(
	ledger: Ledger,
	recent: readonly Entry[],
	orders: readonly OrderEntry[],
	sinceMs: number,
	waitMs: number
) {
	await inPostgres(ledger);
	await onTopics(recent, orders, sinceMs);
	await withCassandra(client => inCassandra(client, ledger, recent));
	// Totals that Redis has lost are backfilled in the background, page by page.
	await eventually(() => inRedis(ledger), "every total to be in Redis", waitMs);
}
