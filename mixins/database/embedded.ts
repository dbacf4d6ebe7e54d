/**
 * Postgres inside this process (PGlite), behind the same knex as a server.
 *
 *     const db = openEmbedded("./data");                            // nothing opens yet
 *     mixins: [database(db, new URL("./migrations/", import.meta.url))]
 */
import { PGlite } from "@electric-sql/pglite";
import { createPgConfig } from "@electric-sql/pglite/node-postgres";
import knex, { type Knex } from "knex";
import { takeDataDir } from "./data-dir.ts";
import { check, type Database, SILENT } from "./database.ts";
import { maintain } from "./maintenance.ts";
import { wholeStatements } from "./whole-statements.ts";

export interface EmbeddedOptions {
	/** What error messages call the directory, e.g. `DATA_DIR=./data`. Default: its path. */
	label?: string;
	/** What to do when it does not open, for log lines. */
	advice?: string;
}

/** A directory that no other process may hold. Its data survives `kill -9`, not power loss: PGlite never calls fsync. */
export function openEmbedded(dir: string, { label, advice = "check this directory" }: EmbeddedOptions = {}): Database {
	let release: (() => void) | undefined;
	let opening: Promise<PGlite> | undefined;
	let maintenance: { stop(): Promise<void> } | undefined;
	const db: Knex = knex({
		client: "pg",
		log: SILENT,
		pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 30, reapIntervalMillis: 2 ** 30 },
		acquireConnectionTimeout: 4_000,
		connection: async () => {
			release ??= takeDataDir(dir, label);
			opening ??= PGlite.create(`${dir}/postgres`, { relaxedDurability: false });
			const pglite = await opening.catch(error => {
				// The next attempt opens it again.
				opening = undefined;
				throw error;
			});
			maintenance ??= maintain(db);
			return createPgConfig(wholeStatements(pglite) as PGlite) as Knex.PgConnectionConfig;
		}
	});
	return {
		name: "postgres",
		where: dir,
		advice,
		knex: db,
		check: check(db),
		async close() {
			await maintenance?.stop();
			await db.destroy();
			await (await opening?.catch(() => undefined))?.close();
			release?.();
		}
	};
}
