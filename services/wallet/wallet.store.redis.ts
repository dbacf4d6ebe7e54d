import { unavailable } from "../../mixins/errors.ts";
import type { Redis } from "../../mixins/redis.ts";
import { APPLIED_KEY, GENERATION_KEY, walletKey, withScripts } from "./wallet.lua.ts";
import { redisConsistency } from "./wallet.redis-consistency.ts";
import type { BalanceStore, UserTotal } from "./wallet.store.ts";

const keysOf = (entries: UserTotal[]) => entries.map(({ user_id }) => walletKey(user_id));
const totalsOf = (entries: UserTotal[]) => entries.flatMap(({ seq, total_cents }) => [seq, total_cents]);

/** Out of memory, read-only, still loading, gone: all of it passes. Only what is wrong with the command or its key does not. */
const toUnavailable = (error: Error) => {
	throw /^(ERR|WRONGTYPE) /.test(error.message) ? error : unavailable("Redis", error);
};

/**
 * Totals in Redis, shared by all nodes. Rejects with `UNAVAILABLE`, and at once, while Redis is away.
 * `committed`: how far the wallet's consumers have committed the topic of purchases, by partition.
 */
export function redisBalances(redis: Redis, committed: () => Promise<number[]>): BalanceStore {
	const client = withScripts(redis.client);
	const consistency = redisConsistency(redis, client, committed);
	const noTotals = (users: string[]) => ({ generation: undefined, totalsCents: users.map(() => undefined) });
	/** Without a generation it has been emptied. */
	const hasGeneration = (generation: string) => {
		if (generation === "") consistency.invalidate();
		return generation !== "";
	};

	return {
		async read(users) {
			if (!consistency.isConsistent()) return noTotals(users);
			try {
				const asked = client.walletRead(users.length + 1, GENERATION_KEY, ...users.map(walletKey));
				const [generation, ...totals] = await asked.catch(toUnavailable);
				if (!hasGeneration(generation)) return noTotals(users);
				return { generation, totalsCents: totals.map(cents => (cents === null ? undefined : Number(cents))) };
			} catch (error) {
				// A Redis that hangs costs one batch its timeout; the next go to Postgres at once.
				consistency.invalidate();
				throw error;
			}
		},

		async raise(entries, from) {
			const keys = [GENERATION_KEY, APPLIED_KEY, ...keysOf(entries)];
			// One that may have come back from an older state does not go so far: said before it was found out, that would hide what it lacks.
			const applied = from && consistency.isConsistent() ? [from.partition, from.nextOffset] : ["", ""];
			const told = client.walletRaise(keys.length, ...keys, ...applied, ...totalsOf(entries));
			const [generation, ...wallets] = await told.catch(toUnavailable);
			hasGeneration(generation);
			return wallets.map(([before, isConfirmed, seq, total_cents]) => ({
				before: before || undefined,
				newest: { seq: Number(seq), total_cents: Number(total_cents) },
				isConfirmed: isConfirmed === 1
			}));
		},

		async confirm(entries, required) {
			const keys = [GENERATION_KEY, ...keysOf(entries)];
			await client.walletConfirm(keys.length, ...keys, required, ...totalsOf(entries)).catch(toUnavailable);
		}
	};
}
