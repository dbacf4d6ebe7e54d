// The wallet's decisions about a batch of purchases. No I/O.
import { wholeNumberIn } from "../../mixins/topics/headers.ts";
import type { Headers, TopicRecord } from "../../mixins/topics/topic-log.ts";
import type { PurchaseTotal } from "../purchase/purchase.contract.ts";
import type { UserTotal } from "./wallet.store.ts";

/** Cents as a decimal amount, for API responses. */
export const balancesOf = (totalCents: number) => ({ balances: { total: totalCents / 100 } });

/** The user's total after this purchase and its version, from the headers; undefined for a record without them, which another system published. */
export function totalOf(headers: Headers): PurchaseTotal | undefined {
	const [seq, total_cents] = [wholeNumberIn(headers.seq), wholeNumberIn(headers.total_cents)];
	return seq && total_cents !== undefined ? { seq, total_cents } : undefined;
}

/** The idempotency key of a foreign purchase: its own id, or the position where its record was first published. */
export function purchaseIDOf(id: string | undefined, { topic, partition, offset, headers }: TopicRecord): string {
	if (id !== undefined) return id;
	const origin = [headers["origin-topic"], headers["origin-partition"], headers["origin-offset"]];
	return (origin.every(part => part !== undefined) ? origin : [topic, partition, offset]).join("/");
}

/** The change of one user's total by one batch. */
export interface Change<Source> {
	/** The newest total. */
	entry: UserTotal;
	/** The versions in the headers of the batch's proven records, in order of arrival. */
	seqs: number[];
	/** The source of the newest version. */
	newest: Source;
}

/** The total of a user because of a record: from its headers, or, if `isLookedUp`, read from Postgres because the record has no valid proof. */
export interface BroughtTotal<Source> {
	user_id: string;
	total: PurchaseTotal;
	source: Source;
	isLookedUp?: boolean;
}

/** One change for each user: its newest total is that of the highest version, in any order of arrival. */
export function changesByUser<Source>(totals: BroughtTotal<Source>[]): Change<Source>[] {
	const changes = new Map<string, Change<Source>>();
	for (const { user_id, total, source, isLookedUp } of totals) {
		const change = changes.get(user_id);
		const seqs = isLookedUp ? [] : [total.seq];
		change?.seqs.push(...seqs);
		if (!change) changes.set(user_id, { entry: { user_id, ...total }, seqs, newest: source });
		else if (total.seq > change.entry.seq) Object.assign(change, { entry: { user_id, ...total }, newest: source });
	}
	return [...changes.values()];
}

/** How many of these versions the store had already (`before`: its version until now), and how many versions in between it never got. */
export function compareVersions(seqs: number[], before: number | undefined): { duplicates: number; missed: number } {
	const fresh = new Set(seqs.filter(seq => seq > (before ?? 0)));
	const missed = before === undefined || fresh.size === 0 ? 0 : Math.max(...fresh) - before - fresh.size;
	return { duplicates: seqs.length - fresh.size, missed };
}
