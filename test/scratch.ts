// A Postgres of its own for one test file: nothing it does can be seen by another.
import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import knex from "knex";
import { type Database, openEmbedded, openPostgres } from "../mixins/database/database.ts";
import project from "../package.json" with { type: "json" };
import { readConfig } from "../runtime/config.ts";

export interface Scratch {
	db: Database;
	/** Where another process finds it; undefined if none may. */
	url?: string;
	/** Removes it; whoever opened `db` closes that first. */
	remove(): Promise<void>;
}

const version = project.dependencies["@electric-sql/pglite"];
const template = join(import.meta.dirname, `../node_modules/.cache/plaza/postgres-${version}`);

/** An empty database that was made once: making one takes seconds, a copy a tenth of one. */
async function emptyDatabase(): Promise<string> {
	if (existsSync(template)) return template;
	await mkdir(dirname(template), { recursive: true });
	const making = mkdtempSync(`${template}-`);
	await (await PGlite.create(making)).close();
	try {
		renameSync(making, template);
	} catch (error) {
		// Another test file was first: its copy does as well.
		if (!existsSync(template)) throw error;
		rmSync(making, { recursive: true });
	}
	return template;
}

/** A fresh data directory with an empty database in it, as the embedded profile keeps it. */
export async function scratchDataDir(): Promise<string> {
	const dir = mkdtempSync(join(tmpdir(), "plaza-embedded-"));
	cpSync(await emptyDatabase(), join(dir, "postgres"), { recursive: true });
	return dir;
}

/** Postgres in this process, in a fresh directory. */
export async function scratchEmbedded(): Promise<Scratch> {
	const dir = await scratchDataDir();
	return { db: openEmbedded(dir), remove: async () => rmSync(dir, { recursive: true }) };
}

/** A fresh database on the server at DATABASE_URL. */
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
