// What must be true of purchases, totals and topics when all is quiet.
import assert from "node:assert/strict";
import { keyOf, type PurchaseTables } from "./purchases.model.ts";
import type { Topics } from "./topics.model.ts";

interface Bought {
	id?: string;
	user_id: string;
	amount: number;
}

/** What people know that they have done. */
export interface Books {
	/** Acknowledged, by user and id. */
	bought: Map<string, Bought>;
	/** Written to the topic by somebody else. */
	elsewhere: Bought[];
	/** Texts that are no purchases. */
	poison: string[];
}

const sumCents = (purchases: Iterable<Bought>) => [...purchases].reduce((sum, { amount }) => sum + Math.round(amount * 100), 0);

/** A balance that was answered is one that the user has had, and not older than what the wallet had committed when it was asked for. */
export function checkBalance(user: string, answer: unknown, leastCents: number, { history }: PurchaseTables) {
	const { balances } = answer as { balances: { total: number } };
	const cents = Math.round(balances.total * 100);
	assert.ok([0, ...(history.get(user) ?? [])].includes(cents), `${user} never had ${cents}`);
	assert.ok(cents >= leastCents, `${user} was answered ${cents} when ${leastCents} had been committed`);
}

function checkTopic(user: string, { totals }: PurchaseTables, topics: Topics) {
	const records = topics.partitions("user_purchase").flatMap(({ records }) => records);
	const seqs = records
		.filter(({ key, headers }) => String(key) === user && headers.seq)
		.map(({ headers }) => Number(headers.seq));
	const numbers = [...new Set(seqs)].sort((one, other) => one - other);
	assert.deepEqual(
		numbers,
		Array.from({ length: totals.get(user)?.seq ?? 0 }, (_, n) => n + 1),
		`numbers of ${user}'s purchases on the topic`
	);
	// What is sent again is sent in order again: nothing old comes after what is new for good.
	const lasts = numbers.map(seq => seqs.lastIndexOf(seq));
	assert.deepEqual(
		lasts,
		lasts.toSorted((one, other) => one - other),
		`the order of ${user}'s purchases on the topic: ${seqs}`
	);
}

/** Every poisoned record lies in the dead letters, to the byte, and nothing else does. */
export function checkDead(topic: string, poison: string[], topics: Topics) {
	const dead = topics.partitions(`${topic}.dead`).flatMap(({ records }) => records);
	assert.deepEqual(new Set(dead.map(({ value }) => String(value))), new Set(poison), `the dead letters of ${topic}`);
	for (const { headers, value } of dead) {
		const record = topics.partitions(topic)[Number(headers["dead-partition"])]?.records[Number(headers["dead-offset"])];
		assert.deepEqual(String(record?.value), String(value), "a dead letter names another place");
	}
}

export function checkPurchases({ bought, elsewhere, poison }: Books, tables: PurchaseTables, topics: Topics) {
	const all = [...bought.values(), ...elsewhere];
	assert.equal(tables.purchases.size, all.length, "purchases that are stored");
	for (const key of bought.keys()) {
		const [userID, id] = key.split(" ") as [string, string];
		assert.ok(tables.purchases.has(keyOf({ userID, id })), `${key} was acknowledged and is not stored`);
	}
	for (const user of new Set(all.map(({ user_id }) => user_id))) {
		const own = all.filter(({ user_id }) => user_id === user);
		assert.deepEqual(tables.totals.get(user), { seq: own.length, total_cents: sumCents(own) }, `the total of ${user}`);
		checkTopic(user, tables, topics);
	}
	checkDead("user_purchase", poison, topics);
}
