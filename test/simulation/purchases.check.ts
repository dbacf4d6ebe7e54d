// The invariants of purchases, totals and topics once the system is idle.
import assert from "node:assert/strict";
import { keyOf, type PurchaseTables } from "./purchases.model.ts";
import type { Topics } from "./topics.model.ts";

/** The header `proof` of foreign records with invented totals. */
export const FORGED = "forged";

interface Bought {
	id?: string;
	user_id: string;
	amount: number;
}

/** The purchases that the clients made. */
export interface ExpectedPurchases {
	/** Acknowledged purchases, by user and id. */
	bought: Map<string, Bought>;
	/** Purchases that a foreign client wrote to the topic. */
	foreign: Bought[];
	/** Record values that are not valid purchases. */
	poison: string[];
}

const sumCents = (purchases: Iterable<Bought>) => [...purchases].reduce((sum, { amount }) => sum + Math.round(amount * 100), 0);

/** Fails unless the user once had this balance and it includes everything that the wallet had committed before the call. */
export function checkBalance(user: string, answer: unknown, leastCents: number, { history }: PurchaseTables) {
	const { balances } = answer as { balances: { total: number } };
	const cents = Math.round(balances.total * 100);
	assert.ok([0, ...(history.get(user) ?? [])].includes(cents), `${user} never had a balance of ${cents}`);
	assert.ok(cents >= leastCents, `${user} got a balance of ${cents} when ${leastCents} had been committed`);
}

function checkTopic(user: string, { totals }: PurchaseTables, topics: Topics) {
	const records = topics.partitions("user_purchase").flatMap(({ records }) => records);
	const seqs = records
		.filter(({ key, headers }) => String(key) === user && headers.seq && headers.proof !== FORGED)
		.map(({ headers }) => Number(headers.seq));
	const numbers = [...new Set(seqs)].sort((one, other) => one - other);
	assert.deepEqual(
		numbers,
		Array.from({ length: totals.get(user)?.seq ?? 0 }, (_, n) => n + 1),
		`sequence numbers of ${user}'s purchases on the topic`
	);
	// A relay that repeats records repeats them in order: the last occurrences of the numbers are in order.
	const lasts = numbers.map(seq => seqs.lastIndexOf(seq));
	assert.deepEqual(
		lasts,
		lasts.toSorted((one, other) => one - other),
		`the order of ${user}'s purchases on the topic: ${seqs}`
	);
}

/** Every poison record is in the dead-letter topic, unchanged, and nothing else is there. */
export function checkDead(topic: string, poison: string[], topics: Topics) {
	const dead = topics.partitions(`${topic}.dead`).flatMap(({ records }) => records);
	assert.deepEqual(new Set(dead.map(({ value }) => String(value))), new Set(poison), `the dead letters of ${topic}`);
	for (const { headers, value } of dead) {
		const record = topics.partitions(topic)[Number(headers["dead-partition"])]?.records[Number(headers["dead-offset"])];
		assert.deepEqual(String(record?.value), String(value), "a dead letter names the wrong source position");
	}
}

export function checkPurchases(
	{ bought, foreign: elsewhere, poison }: ExpectedPurchases,
	tables: PurchaseTables,
	topics: Topics
) {
	const all = [...bought.values(), ...elsewhere];
	assert.equal(tables.purchases.size, all.length, "the number of stored purchases");
	for (const key of bought.keys()) {
		const [userID, id] = key.split(" ") as [string, string];
		assert.ok(tables.purchases.has(keyOf({ userID, id })), `${key} was acknowledged but is not stored`);
	}
	for (const user of new Set(all.map(({ user_id }) => user_id))) {
		const own = all.filter(({ user_id }) => user_id === user);
		assert.deepEqual(tables.totals.get(user), { seq: own.length, total_cents: sumCents(own) }, `the total of ${user}`);
		checkTopic(user, tables, topics);
	}
	checkDead("user_purchase", poison, topics);
}
