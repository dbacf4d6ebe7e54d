// Model of the store of purchases: it takes the same locks in the same order as the real statements; purchase.rules.ts makes the decisions.
import { isUnavailable, unavailable } from "../../mixins/errors.ts";
import { encode } from "../../mixins/topics/encode.ts";
import { topics } from "../../services/contract.ts";
import type { PurchaseTotal } from "../../services/purchase/purchase.contract.ts";
import { type Attempt, deduplicate, outcomes } from "../../services/purchase/purchase.rules.ts";
import type { PurchaseStore } from "../../services/purchase/purchase.store.ts";
import type { ModelPostgres } from "./postgres.model.ts";
import type { Scheduler } from "./scheduler.ts";

export interface PurchaseTables {
	/** Amounts in cents, by the key of the purchase. */
	purchases: Map<string, number>;
	totals: Map<string, PurchaseTotal>;
	/** All totals that a user has had, in the order of seq. */
	history: Map<string, number[]>;
}

/** Purchase ids are unique per user. */
export const keyOf = ({ userID, id }: Pick<Attempt, "userID" | "id">) => JSON.stringify([userID, id]);

export const purchaseTables = (): PurchaseTables => ({ purchases: new Map(), totals: new Map(), history: new Map() });

export function modelPurchases(
	postgres: ModelPostgres,
	{ purchases, totals, history }: PurchaseTables,
	scheduler: Scheduler
): PurchaseStore {
	const buy: PurchaseStore["buy"] = attempts =>
		postgres.transaction(async trx => {
			const { distinct, indexes } = deduplicate(attempts);
			for (const key of distinct.map(keyOf).sort()) await trx.lock(`purchase ${key}`);
			const fresh = distinct.filter(attempt => !purchases.has(keyOf(attempt)));
			for (const user of [...new Set(fresh.map(({ userID }) => userID))].sort()) await trx.lock(`total ${user}`);
			const after = new Map<string, PurchaseTotal>();
			const records = fresh.map(({ id, userID, amountCents, createdAt, requestID }) => {
				const before = after.get(userID) ?? totals.get(userID) ?? { seq: 0, total_cents: 0 };
				const total = { seq: before.seq + 1, total_cents: before.total_cents + amountCents };
				after.set(userID, total);
				const created_at = createdAt ?? new Date(scheduler.nowMs()).toISOString();
				const headers = { seq: String(total.seq), total_cents: String(total.total_cents) };
				return encode(
					topics,
					"user_purchase",
					{ id, user_id: userID, amount: amountCents / 100, created_at },
					{ headers, requestID }
				);
			});
			trx.addToOutbox(records);
			const commit = () => {
				for (const attempt of fresh) purchases.set(keyOf(attempt), attempt.amountCents);
				for (const [index, { userID }] of fresh.entries())
					history.set(userID, [...(history.get(userID) ?? []), Number(records[index]!.headers!.total_cents)]);
				for (const [user, total] of after) totals.set(user, total);
			};
			const amounts = distinct.map(attempt => purchases.get(keyOf(attempt)) ?? attempt.amountCents);
			const bought = new Set(fresh.map(attempt => distinct.indexOf(attempt)));
			return { answer: outcomes(attempts, indexes, amounts, bought), commit };
		});

	return {
		buy: attempts =>
			buy(attempts).catch(error => {
				if (!isUnavailable(error)) throw error;
				return attempts.map(() => unavailable("Postgres"));
			}),
		totals: users => postgres.server.request("totals", () => users.map(user => totals.get(user) ?? { seq: 0, total_cents: 0 }))
	};
}
