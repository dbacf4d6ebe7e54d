// The lease of the relay that publishes: one row in Postgres that expires by the database's clock, with a fence that grows with every owner.
import { type Outbox, STATEMENT_TIMEOUT_MS } from "./outbox.ts";
import { leaseTable } from "./schema.ts";

/** An append takes at most this long (TopicLog.append), and must end before the lease can expire. */
export const APPEND_TIMEOUT_MS = 5_000;
export const LEASE_MS = 8_000;
/** Renewed when less is left: about once a second, not at each poll. */
const RENEW_BELOW_MS = 7_000;

export interface Lease {
	/**
	 * Takes the lease if it is free, and renews it in time. Resolves with its fence if the lease lasts at least as long as an append may take,
	 * else with undefined. If two calls resolve with the same fence, no other node has held the lease in between.
	 */
	acquire(): Promise<string | undefined>;
	/** Lets another node take it at once. */
	release(): Promise<void>;
}

/**
 * `holder`: this node's name, which no other live node may use. A node takes a lease at once that it held itself under this name: after a crash
 * it need not wait for the lease to expire. `clock`: monotonic, in ms.
 */
export function leaseOf({ knex, table }: Outbox, holder: string, clock = () => performance.now()): Lease {
	const leases = leaseTable(table);
	let fence: string | undefined;
	let untilMs = 0;

	const update = async (sql: string, bindings: string[]) => {
		// Counted from before the statement: here the lease always expires earlier than in the database.
		const askedAtMs = clock();
		const { rows } = await knex
			.raw(`update ?? set until = clock_timestamp() + ? * interval '1 ms', ${sql} returning fence`, [
				leases,
				LEASE_MS,
				...bindings
			])
			.timeout(STATEMENT_TIMEOUT_MS);
		fence = rows[0]?.fence;
		untilMs = askedAtMs + LEASE_MS;
	};
	const take = () => update("holder = ?, fence = fence + 1 where until < clock_timestamp() or holder = ?", [holder, holder]);
	const renew = (held: string) => update("holder = holder where fence = ?", [held]);

	return {
		async acquire() {
			if (fence === undefined) await take();
			else if (untilMs - clock() < RENEW_BELOW_MS) await renew(fence);
			return untilMs - clock() >= APPEND_TIMEOUT_MS ? fence : undefined;
		},

		async release() {
			if (fence === undefined) return;
			const held = fence;
			fence = undefined;
			await knex.raw("update ?? set until = '-infinity' where fence = ?", [leases, held]).timeout(STATEMENT_TIMEOUT_MS);
		}
	};
}
