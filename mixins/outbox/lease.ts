// The lease of the relay that publishes: one row in Postgres that expires by the database's clock, with a fence that grows with every owner.
import type { Outbox } from "./outbox.ts";
import { leaseTable } from "./schema.ts";

/** An append takes at most this long (TopicLog.append), and must end before the lease can expire. */
export const APPEND_TIMEOUT_MS = 5_000;
export const LEASE_MS = 8_000;
/** Renewed when less is left: about every two seconds, not at each poll, and long before a message would have to wait for it. */
const RENEW_BELOW_MS = 6_000;

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
export function leaseOf({ run, table }: Pick<Outbox, "run" | "table">, holder: string, clock = () => performance.now()): Lease {
	const leases = leaseTable(table);
	let fence: string | undefined;
	let untilMs = 0;

	const update = async (sql: string, bindings: string[]) => {
		// Counted from before the statement: here the lease always expires earlier than in the database.
		const askedAtMs = clock();
		const [row] = await run({
			sql: `update ?? set until = clock_timestamp() + ? * interval '1 ms', ${sql} returning fence`,
			bindings: [leases, LEASE_MS, ...bindings]
		});
		fence = row && String(row.fence);
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
			await run({ sql: "update ?? set until = '-infinity' where fence = ? returning fence", bindings: [leases, held] });
		}
	};
}

/** For a database that no other process can open: there is nobody to share the outbox with. */
export const unsharedLease: Lease = {
	acquire: async () => "unshared",
	release: async () => {}
};
