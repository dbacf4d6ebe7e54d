// Whose turn it is to send: one row in Postgres, held for a while by the database's clock, with a number that grows with every owner.
import { type Outbox, STATEMENT_TIMEOUT_MS } from "./outbox.ts";
import { leaseTable } from "./schema.ts";

/** An append is under way for at most this long (TopicLog.append), and must end while the lease is surely ours. */
export const APPEND_BOUND_MS = 5_000;
export const LEASE_MS = 8_000;
/** Renewed when less is left: once a second and not in each round, which may be a few milliseconds. */
const RENEW_BELOW_MS = 7_000;

export interface Lease {
	/**
	 * Takes the lease if it is free, renews it in time. Answers its fence if it is surely ours for as long as an append may take, else
	 * undefined. The same fence twice: nobody else has held it in between.
	 */
	hold(): Promise<string | undefined>;
	/** Lets the next one have it at once. */
	release(): Promise<void>;
}

/**
 * `holder`: this node's name. It takes back at once what it held under the same name, so that a node that was killed goes on as soon as it is
 * up again; two live nodes must not share one. `clock`: monotonic, in ms.
 */
export function leaseOf({ knex, table }: Outbox, holder: string, clock = () => performance.now()): Lease {
	const leases = leaseTable(table);
	let fence: string | undefined;
	let untilMs = 0;

	const update = async (sql: string, bindings: string[]) => {
		// Counted from before the question: ours always ends before the database's.
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
		async hold() {
			if (fence === undefined) await take();
			else if (untilMs - clock() < RENEW_BELOW_MS) await renew(fence);
			return untilMs - clock() >= APPEND_BOUND_MS ? fence : undefined;
		},

		async release() {
			if (fence === undefined) return;
			const held = fence;
			fence = undefined;
			await knex.raw("update ?? set until = '-infinity' where fence = ?", [leases, held]).timeout(STATEMENT_TIMEOUT_MS);
		}
	};
}
