// What signs the tokens, where nobody has given one: made once at random, and kept where all nodes that share the data find it.
import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Knex } from "knex";

const BYTES = 48;
const make = () => randomBytes(BYTES).toString("base64url");

/** In a file that only its owner can read. */
export function secretInFile(dir: string): string {
	const file = join(dir, "jwt-secret");
	const read = () => {
		try {
			return readFileSync(file, "utf8");
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
			throw error;
		}
	};
	const kept = read();
	if (kept) return kept;
	mkdirSync(dir, { recursive: true });
	const making = `${file}.${randomBytes(6).toString("hex")}`;
	writeFileSync(making, make(), { mode: 0o600, flush: true });
	try {
		// All of it or nothing, and never in place of one that is there.
		linkSync(making, file);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	} finally {
		rmSync(making);
	}
	return readFileSync(file, "utf8");
}

/** In the table `secrets`: the first node to start makes it, all others read it. */
export async function secretInTable(db: Knex): Promise<string> {
	await db("secrets").insert({ name: "jwt", value: make() }).onConflict("name").ignore();
	return (await db("secrets").where({ name: "jwt" }).first("value")).value;
}
