// Stored passwords: argon2id (RFC 9106) in the PHC string format, `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { normalisePassword } from "./users.rules.ts";

const derive = promisify(argon2) as (algorithm: "argon2id", parameters: Argon2Parameters) => Promise<Buffer>;

/** OWASP's second recommendation: 19 MiB, two passes, about 30 ms. https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const HASH_BYTES = 32;
const base64 = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");
const phc = (salt: Buffer, hash: Buffer) =>
	`$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${base64(salt)}$${base64(hash)}`;

/** The PHC string to store for a password. */
export async function hashPassword(password: string): Promise<string> {
	const nonce = randomBytes(16);
	const hash = await derive("argon2id", { message: normalisePassword(password), nonce, tagLength: HASH_BYTES, ...COST });
	return phc(nonce, hash);
}

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

/** Compared with when there is no account, so that the response takes the same time. It is the hash of no known password. */
const decoyHash = phc(randomBytes(16), randomBytes(HASH_BYTES));

/** Whether this is the password. `stored` undefined (no such account): takes the same time and resolves to false. */
export async function verifyPassword(password: string, stored: string | undefined): Promise<boolean> {
	const [, memory, passes, parallelism, salt = "", hash = ""] = PHC.exec(stored ?? decoyHash) ?? [];
	const expected = Buffer.from(hash, "base64");
	const given = await derive("argon2id", {
		message: normalisePassword(password),
		nonce: Buffer.from(salt, "base64"),
		tagLength: expected.length,
		memory: Number(memory),
		passes: Number(passes),
		parallelism: Number(parallelism)
	});
	return timingSafeEqual(given, expected) && stored !== undefined;
}
