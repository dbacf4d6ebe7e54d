// What signs the tokens, where nobody has given one: made once at random, and kept where all nodes that share the data find it.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Knex } from "knex";

const BYTES = 48;
const make = () => randomBytes(BYTES).toString("base64url");
const MADE = /^[\w-]{64}$/;

/** In a file that only its owner can read. For the one process that holds the directory's lock. */
export function secretInFile(dir: string): string {
	const file = join(dir, "jwt-secret");
	if (!existsSync(file)) {
		mkdirSync(dir, { recursive: true });
		// What a process that was killed right here has left behind was never used.
		const making = `${file}.making`;
		rmSync(making, { force: true });
		writeFileSync(making, make(), { mode: 0o600, flush: true });
		// All of it or nothing.
		renameSync(making, file);
	}
	const kept = readFileSync(file, "utf8");
	if (!MADE.test(kept)) throw new Error(`${file} is damaged: delete it, and everybody has to sign in again`);
	return kept;
}

/** In the table `secrets`: the first node to start makes it, all others read it. */
export async function secretInTable(db: Knex): Promise<string> {
	await db("secrets").insert({ name: "jwt", value: make() }).onConflict("name").ignore();
	return (await db("secrets").where({ name: "jwt" }).first("value")).value;
}
