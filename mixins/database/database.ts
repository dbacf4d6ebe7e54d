/**
 * Postgres for a Moleculer service: a server, or Postgres itself in this process (PGlite), behind the same knex.
 *
 *     const db = openPostgres("postgres://localhost/shop");         // or openEmbedded("./data"): nothing connects yet
 *
 *     export default {
 *       name: "orders",
 *       mixins: [database(db, new URL("./migrations/", import.meta.url))],   // waits for it, then brings the tables up to date
 *       actions: { list: () => db.knex("orders").limit(50) }
 *     };
 */
import { readdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { PGlite } from "@electric-sql/pglite";
import { createPgConfig } from "@electric-sql/pglite/node-postgres";
import knex, { type Knex } from "knex";
import type { ServiceSchema } from "moleculer";
import { type Dependency, dependency } from "../dependency.ts";
import { takeDataDir } from "./data-dir.ts";
import { maintain } from "./maintenance.ts";

export interface Database extends Dependency {
	/** One knex for the whole process: the embedded Postgres has one session, and a second pool would write inside somebody else's open transaction. */
	knex: Knex;
}

const CHECK_TIMEOUT_MS = 2_000;
const LOCK_TIMEOUT_MS = 3_000;
const FROZEN_AFTER_MS = 10_000;
/** Longer than any statement here may take, migrations too. */
const SILENCE_TIMEOUT_MS = 60_000;
/** The same on every node, so that two nodes that start together migrate one after the other. */
const MIGRATION_LOCK = 7_529_265;

/** Whoever asks is told by a rejection, and health says it; knex would print a stack for every failed attempt besides. */
const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

const check = (db: Knex) => async () => {
	await db.raw("select 1").timeout(CHECK_TIMEOUT_MS);
};

/**
 * Ends a connection that has gone without a word: knex bounds neither BEGIN nor COMMIT, and a server whose machine vanished answers them with
 * nothing at all, for as long as TCP waits, while the pool has no connection left.
 */
const dropWhenSilent = (pg: { connection: { stream: Socket } }, done: (error: null, pg: unknown) => void) => {
	const { stream } = pg.connection;
	stream.setTimeout(SILENCE_TIMEOUT_MS, () => stream.destroy(new Error("no answer for a minute")));
	done(null, pg);
};

/** A Postgres server. */
export function openPostgres(url: string, { maxConnections = 10 } = {}): Database {
	const db = knex({
		client: "pg",
		connection: {
			connectionString: url,
			connectionTimeoutMillis: CHECK_TIMEOUT_MS,
			keepAlive: true,
			// A process that is frozen in the middle of a transaction must not keep its locks from the others, nor they wait for them for long.
			idle_in_transaction_session_timeout: FROZEN_AFTER_MS,
			// pg knows it, knex's types do not.
			...({ lock_timeout: LOCK_TIMEOUT_MS } as object)
		},
		pool: { min: 0, max: maxConnections, afterCreate: dropWhenSilent },
		// A caller that finds no connection for so long is told 503.
		acquireConnectionTimeout: 4_000,
		log: SILENT
	});
	const { host } = new URL(url);
	return {
		name: "postgres",
		where: host,
		advice: "start it, or set DATABASE_URL",
		access: "user, password and sslmode in DATABASE_URL",
		knex: db,
		check: check(db),
		close: () => db.destroy()
	};
}

/** Postgres in this process, in a directory that no other process may hold. Survives `kill -9`, not power loss: it never calls fsync. */
export function openEmbedded(dir: string): Database {
	let letGo: (() => void) | undefined;
	let opening: Promise<PGlite> | undefined;
	let maintenance: { stop(): Promise<void> } | undefined;
	const db: Knex = knex({
		client: "pg",
		log: SILENT,
		pool: { min: 1, max: 1, idleTimeoutMillis: 2 ** 30 },
		acquireConnectionTimeout: 4_000,
		connection: async () => {
			letGo ??= takeDataDir(dir);
			opening ??= PGlite.create(`${dir}/postgres`, { relaxedDurability: false });
			const pglite = await opening.catch(error => {
				// The next attempt opens it anew.
				opening = undefined;
				throw error;
			});
			maintenance ??= maintain(db);
			return createPgConfig(pglite) as Knex.PgConnectionConfig;
		}
	});
	return {
		name: "postgres",
		where: dir,
		advice: "see the error above",
		knex: db,
		check: check(db),
		async close() {
			await maintenance?.stop();
			await db.destroy();
			await (await opening?.catch(() => undefined))?.close();
			letGo?.();
		}
	};
}

/**
 * Mixin: the service starts once Postgres answers, its tables are up to date, and what they must hold from the start (`seed`) is in them.
 * One table of migrations a folder, named after the service.
 */
export function database(db: Database, migrations?: URL, seed?: () => Promise<void>): Partial<ServiceSchema> {
	return dependency(db, async () => {
		if (migrations) await migrate(db, migrations);
		await seed?.();
	});
}

/** What is migrating each database, in this process: who waited for the one connection there is instead would be told that Postgres is away. */
const migrating = new WeakMap<Knex, Promise<void>>();

/** Runs the migrations of a folder that have not run yet, all or none, one folder and one node at a time. Safe to be killed in the middle. */
export function migrate({ knex: db }: Pick<Database, "knex">, folder: URL): Promise<void> {
	const mine = (migrating.get(db) ?? Promise.resolve()).then(() => run(db, folder));
	migrating.set(
		db,
		mine.catch(() => {})
	);
	return mine;
}

async function run(db: Knex, folder: URL) {
	const owner = folder.pathname.split("/").at(-3);
	await db.transaction(async trx => {
		// Another node's migrations take as long as they take.
		await trx.raw("set local lock_timeout = 0");
		// Gone with the transaction, however that ends: knex's own lock is a row that a killed node leaves behind.
		await trx.raw("select pg_advisory_xact_lock(?)", [MIGRATION_LOCK]);
		await trx.migrate.latest({
			migrationSource: migrationsIn(folder),
			tableName: `${owner}_migrations`,
			disableTransactions: true
		});
	});
}

const migrationsIn = (folder: URL): Knex.MigrationSource<string> => ({
	getMigrations: async () => (await readdir(folder)).filter(file => file.endsWith(".ts")).sort(),
	getMigrationName: file => file.replace(/\.ts$/, ""),
	getMigration: file => import(new URL(file, folder).href)
});
