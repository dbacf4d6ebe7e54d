// What follows from a batch of purchases, without I/O.
import { wholeNumberIn } from "../../mixins/topics/headers.ts";
import type { Headers, TopicRecord } from "../../mixins/topics/topic-log.ts";
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";
import type { UserTotal } from "./wallet.store.ts";

/** Money is decimal at the edge only. */
export const balancesOf = (totalCents: number) => ({ balances: { total: totalCents / 100 } });

/** The user's total as of this record, and its version; undefined for a record that we did not write: a purchase made elsewhere. */
export function totalOf(headers: Headers): PurchaseTotal | undefined {
	const [seq, total_cents] = [wholeNumberIn(headers.seq), wholeNumberIn(headers.total_cents)];
	return seq && total_cents !== undefined ? { seq, total_cents } : undefined;
}

/** What makes a purchase from elsewhere safe to record twice: its own id, or the place where its record first lay. */
export function purchaseIDOf(id: string | undefined, { topic, partition, offset, headers }: TopicRecord): string {
	if (id !== undefined) return id;
	const origin = [headers["origin-topic"], headers["origin-partition"], headers["origin-offset"]];
	return (origin.every(part => part !== undefined) ? origin : [topic, partition, offset]).join("/");
}

/** What one batch says of one user. */
export interface Change<Source> {
	/** The newest total. */
	entry: UserTotal;
	/** The versions it brings, in the order they came. */
	seqs: number[];
	/** Whatever brought the newest. */
	newest: Source;
}

/** One change a user: whatever the order, the highest version is the newest. */
export function changesByUser<Source>(totals: { user_id: string; total: PurchaseTotal; source: Source }[]): Change<Source>[] {
	const changes = new Map<string, Change<Source>>();
	for (const { user_id, total, source } of totals) {
		const change = changes.get(user_id);
		if (change) change.seqs.push(total.seq);
		if (!change) changes.set(user_id, { entry: { user_id, ...total }, seqs: [total.seq], newest: source });
		else if (total.seq > change.entry.seq) Object.assign(change, { entry: { user_id, ...total }, newest: source });
	}
	return [...changes.values()];
}

/** How many of these versions the store had already, and how many between the one it had before and these it was never told of. */
export function compareVersions(seqs: number[], before: number | undefined): { duplicates: number; missed: number } {
	const fresh = new Set(seqs.filter(seq => seq > (before ?? 0)));
	const missed = before === undefined || fresh.size === 0 ? 0 : Math.max(...fresh) - before - fresh.size;
	return { duplicates: seqs.length - fresh.size, missed };
}
