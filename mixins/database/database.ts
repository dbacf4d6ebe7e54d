/**
 * A Postgres server for a Moleculer service. (For Postgres inside this process: `openEmbedded` in embedded.ts.)
 *
 *     const db = openPostgres("postgres://localhost/shop");         // nothing connects yet
 *
 *     export default {
 *       name: "orders",
 *       mixins: [database(db, new URL("./migrations/", import.meta.url))],   // waits for it, then brings the tables up to date
 *       actions: { list: () => db.knex("orders").limit(50) }
 *     };
 */
import type { Socket } from "node:net";
import knex, { type Knex } from "knex";
import type { Service, ServiceSchema } from "moleculer";
import { type Dependency, dependency, waitUntilReachable } from "../dependency.ts";
import { migrate } from "./migrate.ts";

export interface Database extends Dependency {
	/** One knex for the whole process: the embedded Postgres has one session, and a second pool would write inside another's open transaction. */
	knex: Knex;
}

export interface PostgresOptions {
	/** Default 10. */
	maxConnections?: number;
	/** What to do when it does not answer, for log lines. */
	advice?: string;
	/** What to set when it refuses the credentials, for log lines. */
	access?: string;
}

const CHECK_TIMEOUT_MS = 2_000;
const LOCK_TIMEOUT_MS = 3_000;
const FROZEN_AFTER_MS = 10_000;
/** Longer than any statement here may take, migrations too. */
const SILENCE_TIMEOUT_MS = 60_000;

/** Callers get a rejection, and health reports it; knex would also print a stack for every failed attempt. */
export const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

export const check = (db: Knex) => async () => {
	await db.raw("select 1").timeout(CHECK_TIMEOUT_MS);
};

/**
 * Ends a connection whose server does not answer any more: knex has no timeout for BEGIN and COMMIT, and a server whose machine vanished leaves them
 * without an answer for as long as TCP waits, until the pool has no connection left.
 */
const dropWhenSilent = (pg: { connection: { stream: Socket } }, done: (error: null, pg: unknown) => void) => {
	const { stream } = pg.connection;
	stream.setTimeout(SILENCE_TIMEOUT_MS, () => stream.destroy(new Error("no answer for a minute")));
	done(null, pg);
};

/** A Postgres server. */
export function openPostgres(url: string, options: PostgresOptions = {}): Database {
	const {
		maxConnections = 10,
		advice = "start it, or correct its URL",
		access = "user, password and sslmode in its URL"
	} = options;
	const db = knex({
		client: "pg",
		connection: {
			connectionString: url,
			connectionTimeoutMillis: CHECK_TIMEOUT_MS,
			keepAlive: true,
			// A process that freezes in the middle of a transaction must not keep its locks, nor may others wait long for them.
			idle_in_transaction_session_timeout: FROZEN_AFTER_MS,
			// pg knows this option, knex's types do not.
			...({ lock_timeout: LOCK_TIMEOUT_MS } as object)
		},
		pool: { min: 0, max: maxConnections, afterCreate: dropWhenSilent },
		// Below the 5 s within which a caller must have its 503.
		acquireConnectionTimeout: 4_000,
		log: SILENT
	});
	const { host } = new URL(url);
	return { name: "postgres", where: host, advice, access, knex: db, check: check(db), close: () => db.destroy() };
}

export interface TablesOptions {
	/** The table that lists the migrations that have run. Default: `<name of the service>_migrations`. */
	table?: string;
	/** Inserts what the tables must hold from the start; runs at every start. */
	seed?: () => Promise<void>;
}

/** Mixin: the service starts once Postgres answers, the migrations of the folder have run and `seed` has succeeded. */
export function database(db: Database, migrations?: URL | string, { table, seed }: TablesOptions = {}): Partial<ServiceSchema> {
	return {
		...dependency(db),
		async started(this: Service) {
			const prepare = async () => {
				if (migrations) await migrate(db, migrations, table ?? `${this.name}_migrations`);
				await seed?.();
			};
			await waitUntilReachable(db, this.logger, () => this.broker.stopping, prepare);
		}
	};
}
