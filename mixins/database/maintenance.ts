// The background work of a Postgres server that PGlite, being one process, does not do: checkpoints and vacuum.
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";

const PAUSE_MS = 15_000;
/** Measured: after 1.8 million log rows without a checkpoint, 1.4 GB of WAL and 6.5 s to start; a checkpoint of 64 MB takes 14 ms. */
const CHECKPOINT_AFTER_BYTES = 64 * 1024 * 1024;
const VACUUM_AFTER_DEAD_ROWS = 2_000;
/** Fewer written bytes cannot leave that many dead rows, and the query for them takes several milliseconds. */
const LOOK_AFTER_BYTES = 64 * 1024;

/** Returns one step of the maintenance. A step after which nothing was written is one short statement. */
export function maintenanceOf(db: Knex) {
	let checkpointedAt: number | undefined;
	let lookedAt = 0;

	const vacuum = async () => {
		const { rows } = await db.raw(
			"select relname as name from pg_stat_user_tables where n_dead_tup > ? order by n_dead_tup desc limit 1",
			[VACUUM_AFTER_DEAD_ROWS]
		);
		if (rows.length > 0) await db.raw("vacuum analyze ??", [rows[0].name]);
		return rows.length > 0;
	};

	return async () => {
		const { rows } = await db.raw("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint as written");
		const written = Number(rows[0].written);
		checkpointedAt ??= written;
		if (written - checkpointedAt >= CHECKPOINT_AFTER_BYTES) {
			await db.raw("checkpoint");
			checkpointedAt = written;
		}
		// One table per step: another may be due.
		if (written - lookedAt >= LOOK_AFTER_BYTES && !(await vacuum())) lookedAt = written;
	};
}

/** Checkpoints and vacuums until stopped, in small steps: each blocks the only session. */
export function maintain(db: Knex) {
	const stopping = new AbortController();
	const step = maintenanceOf(db);
	const run = async () => {
		for (;;) {
			await delay(PAUSE_MS, undefined, { signal: stopping.signal, ref: false });
			// A busy session makes it time out; the next run follows.
			await step().catch(() => {});
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
