import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Knex } from "knex";

/** The same on every node, so that two nodes that start together migrate one after the other. */
const MIGRATION_LOCK = 7_529_265;
const SCRIPT = /(?<!\.d)\.(ts|js|mjs)$/;
/** What a build leaves beside scripts, and hidden files. */
const IGNORED = /(^\.|\.map$|\.d\.m?ts$)/;

/** The migration that each database runs now, in this process: one that waited for the embedded Postgres's only connection would time out. */
const migrating = new WeakMap<Knex, Promise<void>>();

/**
 * Runs the migrations of a folder that have not run yet, all or none, one folder and one node at a time. Safe to be killed in the middle.
 * `table`: where the names of those that have run are kept. A name is that of the file without `.ts`, `.js` or `.mjs`, so a build keeps it.
 */
export function migrate({ knex: db }: { knex: Knex }, folder: URL | string, table: string): Promise<void> {
	const mine = (migrating.get(db) ?? Promise.resolve()).then(() => run(db, folder, table));
	migrating.set(
		db,
		mine.catch(() => {})
	);
	return mine;
}

async function run(db: Knex, folder: URL | string, table: string) {
	await db.transaction(async trx => {
		// Another node's migrations may take longer than other statements may wait.
		await trx.raw("set local lock_timeout = 0");
		// Ends with the transaction in every case; knex's own lock is a row, which a killed node leaves behind.
		await trx.raw("select pg_advisory_xact_lock(?)", [MIGRATION_LOCK]);
		await trx.migrate.latest({ migrationSource: migrationsIn(folder), tableName: table, disableTransactions: true });
	});
}

/** The migration files of a folder, in order. Throws with one line for a file that is none, and for two files of one name. */
export async function migrationFiles(folder: string): Promise<string[]> {
	const files = (await readdir(folder)).filter(file => !IGNORED.test(file)).sort();
	const byName = new Map<string, string>();
	for (const file of files) {
		if (!SCRIPT.test(file)) throw new Error(`${join(folder, file)} is no migration: it must end in .ts, .js or .mjs`);
		const other = byName.get(nameOf(file));
		if (other) throw new Error(`${folder} has two migrations of one name: ${other} and ${file}`);
		byName.set(nameOf(file), file);
	}
	return files;
}

const nameOf = (file: string) => file.replace(SCRIPT, "");

function migrationsIn(folder: URL | string): Knex.MigrationSource<string> {
	const path = folder instanceof URL ? fileURLToPath(folder) : folder;
	return {
		getMigrations: () => migrationFiles(path),
		getMigrationName: nameOf,
		async getMigration(file) {
			const module = await import(pathToFileURL(join(path, file)).href);
			// A CommonJS file's exports are in `default`, and only some of them are named besides.
			return typeof module.up === "function" ? module : module.default;
		}
	};
}
