// A separate Postgres for one test file, isolated from all others.
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import knex from "knex";
import { type Database, openPostgres } from "../mixins/database/database.ts";
import { openEmbedded } from "../mixins/database/embedded.ts";
import project from "../package.json" with { type: "json" };
import { readConfig } from "../runtime/config.ts";

export interface Scratch {
	db: Database;
	/** The URL for other processes; undefined if the database is in this process. */
	url?: string;
	/** Removes it; the caller must close `db` first. */
	remove(): Promise<void>;
}

const version = project.dependencies["@electric-sql/pglite"];
const template = join(import.meta.dirname, `../node_modules/.cache/plaza/postgres-${version}`);

/** The path of an empty database that is created once: creating one takes seconds, copying it a tenth of a second. */
async function emptyDatabase(): Promise<string> {
	if (existsSync(template)) return template;
	await mkdir(dirname(template), { recursive: true });
	const partial = mkdtempSync(`${template}-`);
	await (await PGlite.create(partial)).close();
	try {
		renameSync(partial, template);
	} catch (error) {
		// Another test file has created it meanwhile: use that one.
		if (!existsSync(template)) throw error;
		rmSync(partial, { recursive: true });
	}
	return template;
}

/** A new data directory with an empty database, in the layout of the embedded profile. */
export async function scratchDataDir(): Promise<string> {
	const dir = mkdtempSync(join(tmpdir(), "plaza-embedded-"));
	cpSync(await emptyDatabase(), join(dir, "postgres"), { recursive: true });
	return dir;
}

/** An embedded Postgres in a new directory. */
export async function scratchEmbedded(): Promise<Scratch> {
	const dir = await scratchDataDir();
	return { db: openEmbedded(dir), remove: async () => rmSync(dir, { recursive: true }) };
}

/** A new database on the server at DATABASE_URL. */
export async function scratchPostgres(): Promise<Scratch> {
	const { databaseUrl } = readConfig(process.env);
	const name = `scratch_${randomBytes(6).toString("hex")}`;
	const admin = knex({ client: "pg", connection: databaseUrl });
	await admin.raw("create database ??", [name]);
	const url = new URL(databaseUrl);
	url.pathname = name;
	const remove = async () => {
		await admin.raw("drop database ?? with (force)", [name]);
		await admin.destroy();
	};
	return { db: openPostgres(url.href), url: url.href, remove };
}
