// The secret that signs the tokens when JWT_SECRET is not set: generated once, and stored where all nodes with the same data read it.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Knex } from "knex";

const BYTES = 48;
const make = () => randomBytes(BYTES).toString("base64url");
const MADE = /^[\w-]{64}$/;

/** Stored in a file with mode 0600. Only the process that locks the directory may call this. */
export function secretInFile(dir: string): string {
	const file = join(dir, "jwt-secret");
	if (!existsSync(file)) {
		mkdirSync(dir, { recursive: true });
		// A file that a killed process left here was never used.
		const making = `${file}.making`;
		rmSync(making, { force: true });
		writeFileSync(making, make(), { mode: 0o600, flush: true });
		// Renaming is atomic: the file has the whole secret or does not exist.
		renameSync(making, file);
	}
	const kept = readFileSync(file, "utf8");
	if (!MADE.test(kept)) throw new Error(`${file} is damaged: delete it (all users must then sign in again)`);
	return kept;
}

/** Stored in the table `secrets`: the first node to start generates it, all others read it. */
export async function secretInTable(db: Knex): Promise<string> {
	await db("secrets").insert({ name: "jwt", value: make() }).onConflict("name").ignore();
	return (await db("secrets").where({ name: "jwt" }).first("value")).value;
}
