import type { PurchaseTotal } from "../purchase/purchase.contract.ts";
import type { BalanceStore, Entry } from "./wallet.store.ts";

const MAX_USERS = 100_000;
/** It starts empty with its process, and nothing older can ever take its place. */
const GENERATION = "process";

/** Totals in this process's memory: of the users that were seen last, and of nobody after a restart. */
export function memoryBalances({ maxUsers = MAX_USERS } = {}): BalanceStore {
	const totals = new Map<string, PurchaseTotal>();

	const raise = ({ user_id, seq, total_cents }: Entry) => {
		const had = totals.get(user_id);
		// Put back at the end: the first of a Map is the one that was left alone the longest.
		totals.delete(user_id);
		totals.set(user_id, had && had.seq >= seq ? had : { seq, total_cents });
		if (totals.size > maxUsers) totals.delete(totals.keys().next().value as string);
		return had?.seq;
	};

	return {
		read: async users => ({ totals: users.map(user => totals.get(user)), generation: GENERATION }),
		raise: async entries => entries.map(raise),
		async repair(entries) {
			entries.forEach(raise);
		}
	};
}
