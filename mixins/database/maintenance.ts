// The background work of a Postgres server that PGlite, being one process, does not do: checkpoints and vacuum.
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";

const PAUSE_MS = 15_000;
/** Measured: after 1.8 million log rows without a checkpoint, 1.4 GB of WAL and 6.5 s to start; a checkpoint of 64 MB takes 14 ms. */
const CHECKPOINT_AFTER_BYTES = 64 * 1024 * 1024;
const VACUUM_AFTER_DEAD_ROWS = 2_000;

/** Checkpoints and vacuums until stopped, in small steps: each blocks the only session. */
export function maintain(db: Knex) {
	const stopping = new AbortController();
	let checkpointedAt: string | undefined;

	const checkpoint = async () => {
		const { rows } = await db.raw(
			"select pg_current_wal_lsn()::text as now, pg_wal_lsn_diff(pg_current_wal_lsn(), ?::pg_lsn)::bigint as bytes",
			[checkpointedAt ?? "0/0"]
		);
		const grown = checkpointedAt === undefined ? 0 : Number(rows[0].bytes);
		if (grown >= CHECKPOINT_AFTER_BYTES) await db.raw("checkpoint");
		if (checkpointedAt === undefined || grown >= CHECKPOINT_AFTER_BYTES) checkpointedAt = rows[0].now;
	};

	const vacuum = async () => {
		const { rows } = await db.raw(
			"select relname as name from pg_stat_user_tables where n_dead_tup > ? order by n_dead_tup desc limit 1",
			[VACUUM_AFTER_DEAD_ROWS]
		);
		if (rows.length > 0) await db.raw("vacuum analyze ??", [rows[0].name]);
	};

	const run = async () => {
		for (;;) {
			await delay(PAUSE_MS, undefined, { signal: stopping.signal, ref: false });
			// A busy session makes it time out; the next run follows.
			await checkpoint()
				.then(vacuum)
				.catch(() => {});
		}
	};
	const running = run().catch(() => {});
	return {
		stop() {
			stopping.abort();
			return running;
		}
	};
}
