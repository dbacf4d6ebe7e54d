import { unavailable } from "../../mixins/errors.ts";
import type { Redis } from "../../mixins/redis.ts";
import { APPLIED_KEY, GENERATION_KEY, walletKey, withScripts } from "./wallet.lua.ts";
import { redisConsistency } from "./wallet.redis-consistency.ts";
import type { BalanceStore, UserTotal } from "./wallet.store.ts";

const keysOf = (entries: UserTotal[]) => entries.map(({ user_id }) => walletKey(user_id));
const totalsOf = (entries: UserTotal[]) => entries.flatMap(({ seq, total_cents }) => [seq, total_cents]);

/** Redis that is out of memory, read-only, loading or disconnected will recover. Errors in the command or its key (ERR, WRONGTYPE) will not. */
const toUnavailable = (error: Error) => {
	throw /^(ERR|WRONGTYPE) /.test(error.message) ? error : unavailable("Redis", error);
};

/**
 * Totals in Redis, shared by all nodes. Rejects at once with `UNAVAILABLE` while Redis is unavailable.
 * `committed`: the committed offsets of the wallet's consumer group on the topic of purchases, by partition.
 */
export function redisBalances(redis: Redis, committed: () => Promise<number[]>): BalanceStore {
	const client = withScripts(redis.client);
	const consistency = redisConsistency(redis, client, committed);
	const noTotals = (users: string[]) => ({ generation: undefined, totalsCents: users.map(() => undefined) });
	/** Without a generation, Redis was emptied. */
	const hasGeneration = (generation: string) => {
		if (generation === "") consistency.invalidate();
		return generation !== "";
	};

	return {
		async read(users) {
			if (!consistency.isConsistent()) return noTotals(users);
			try {
				const reply = client.walletRead(users.length + 1, GENERATION_KEY, ...users.map(walletKey));
				const [generation, ...totals] = await reply.catch(toUnavailable);
				if (!hasGeneration(generation)) return noTotals(users);
				return { generation, totalsCents: totals.map(cents => (cents === null ? undefined : Number(cents))) };
			} catch (error) {
				// If Redis hangs, only this batch waits for the timeout; the next ones read Postgres at once.
				consistency.invalidate();
				throw error;
			}
		},

		async raise(entries, from) {
			const keys = [GENERATION_KEY, APPLIED_KEY, ...keysOf(entries)];
			const isConsistent = consistency.isConsistent();
			// While the check is pending, Redis may have an older state: an offset set now would hide that records are missing.
			const applied = from && isConsistent ? [from.partition, from.nextOffset] : ["", ""];
			const { losses } = redis;
			const reply = client.walletRaise(keys.length, ...keys, ...applied, ...totalsOf(entries));
			const [generation, ...wallets] = await reply.catch(toUnavailable);
			if (from) consistency.onRaised(from.partition, from.nextOffset, losses);
			const raised = wallets.map(([before, isConfirmed, seq, total_cents]) => ({
				before: before || undefined,
				newest: { seq: Number(seq), total_cents: Number(total_cents) },
				isConfirmed: isConfirmed === 1
			}));
			return { raised: raised, generation: hasGeneration(generation) && isConsistent ? generation : undefined };
		},

		async confirm(entries, required) {
			const keys = [GENERATION_KEY, ...keysOf(entries)];
			await client.walletConfirm(keys.length, ...keys, required, ...totalsOf(entries)).catch(toUnavailable);
		}
	};
}
