// A Postgres of its own for one test file: nothing it does can be seen by another.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import knex from "knex";
import { readConfig } from "../config.ts";
import { type Database, openEmbedded, openPostgres } from "../mixins/database/database.ts";

export interface Scratch {
	db: Database;
	/** Removes it; whoever opened `db` closes that first. */
	remove(): Promise<void>;
}

/** Postgres in this process, in a fresh directory. */
export async function scratchEmbedded(): Promise<Scratch> {
	const dir = mkdtempSync(join(tmpdir(), "plaza-embedded-"));
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
	return { db: openPostgres(url.href), remove };
}
