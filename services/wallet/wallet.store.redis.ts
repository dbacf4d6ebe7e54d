import type { Redis } from "../../mixins/redis.ts";
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";
import { generationOf } from "./wallet.generation.ts";
import { APPLIED_KEY, GENERATION_KEY, walletKey, withScripts } from "./wallet.scripts.ts";
import type { BalanceStore, Entry } from "./wallet.store.ts";

const NOTHING = { generation: undefined };

const totalOf = (wallet: string | null): PurchaseTotal | undefined => {
	if (wallet === null) return undefined;
	const [seq, total_cents] = wallet.split(" ");
	return { seq: Number(seq), total_cents: Number(total_cents) };
};

/**
 * Totals in Redis, shared by all nodes. Rejects at once while Redis is away.
 * `committed`: how far the wallet's consumers have committed the topic of purchases, by partition.
 */
export function redisBalances(redis: Redis, committed: () => Promise<number[]>): BalanceStore {
	const client = withScripts(redis.client);
	const generation = generationOf(redis, client, committed);

	const raise = async (entries: Entry[], partition: number | "", nextOffset: number | "", required: string) => {
		const keys = entries.map(({ user_id }) => walletKey(user_id));
		const totals = entries.flatMap(({ seq, total_cents }) => [seq, total_cents]);
		const [current, ...had] = await client.walletRaise(
			keys.length + 2,
			GENERATION_KEY,
			APPLIED_KEY,
			...keys,
			partition,
			nextOffset,
			required,
			...totals
		);
		generation.saw(current);
		return had;
	};

	return {
		async read(users) {
			const believed = generation.believed();
			if (believed === undefined) return { ...NOTHING, totals: users.map(() => undefined) };
			try {
				const [current, ...wallets] = await client.walletRead(users.length + 1, GENERATION_KEY, ...users.map(walletKey));
				generation.saw(current);
				if (current !== believed) return { ...NOTHING, totals: users.map(() => undefined) };
				return { generation: believed, totals: wallets.map(totalOf) };
			} catch (error) {
				// A Redis that hangs costs one batch its timeout; the next go to Postgres at once.
				generation.doubt();
				throw error;
			}
		},
		async raise(entries, { partition, nextOffset }) {
			const had = await raise(entries, partition, nextOffset, "");
			return had.map(seq => seq ?? undefined);
		},
		async repair(entries, required) {
			await raise(entries, "", "", required);
		}
	};
}
