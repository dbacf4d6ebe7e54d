import type { PurchaseTotal } from "../purchase/purchase.contract.ts";
import type { BalanceStore, Raised, UserTotal } from "./wallet.store.ts";

const MAX_USERS = 100_000;

interface Wallet {
	total: PurchaseTotal;
	isConfirmed: boolean;
}

/** Totals in the memory of this process, of the `maxUsers` users that were used last; empty after a restart. */
export function memoryBalances({ maxUsers = MAX_USERS } = {}): BalanceStore {
	const wallets = new Map<string, Wallet>();
	let kept = 0;
	/** An entry is evicted after `maxUsers` other writes at the earliest, so nothing that was written in a generation is lost within it. */
	const generation = () => String(Math.floor(kept / maxUsers));

	const keep = (user_id: string, wallet: Wallet) => {
		kept++;
		// Reinserted at the end, so that the first entry of the Map is the least recently used one.
		wallets.delete(user_id);
		wallets.set(user_id, wallet);
		if (wallets.size > maxUsers) wallets.delete(wallets.keys().next().value as string);
	};

	const raise = ({ user_id, seq, total_cents }: UserTotal): Raised => {
		const { total, isConfirmed } = wallets.get(user_id) ?? { isConfirmed: false };
		const newest = total && total.seq >= seq ? total : { seq, total_cents };
		keep(user_id, { total: newest, isConfirmed });
		return { before: total?.seq, newest, isConfirmed };
	};

	return {
		async read(users) {
			const found = users.map(user => wallets.get(user));
			const totalsCents = found.map(wallet => (wallet?.isConfirmed ? wallet.total.total_cents : undefined));
			return { totalsCents, generation: generation() };
		},
		raise: async entries => ({ raised: entries.map(raise), generation: generation() }),
		async confirm(entries, required) {
			for (const { user_id, seq, total_cents } of entries) {
				const isNewer = seq >= (wallets.get(user_id)?.total.seq ?? 0);
				if (isNewer && generation() === required) keep(user_id, { total: { seq, total_cents }, isConfirmed: true });
			}
		}
	};
}
