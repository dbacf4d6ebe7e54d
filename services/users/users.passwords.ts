// Passwords as they are kept: argon2id (RFC 9106) in PHC's text form, `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { unavailable } from "../../mixins/errors.ts";
import { normalisePassword } from "./users.rules.ts";

const derive = promisify(argon2) as (algorithm: "argon2id", parameters: Argon2Parameters) => Promise<Buffer>;

/** OWASP's second recommendation: 19 MiB, two passes. https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const HASH_BYTES = 32;
/** Of the four threads that Node has for such work, so that files and names are still read while many sign in; each takes 19 MiB. */
const MAX_UNDER_WAY = 3;
/** About ten seconds of work: whoever comes later is told to come again. */
const MAX_WAITING = 200;

const base64 = (bytes: Buffer) => bytes.toString("base64").replace(/=+$/, "");

let underWay = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
	if (waiting.length >= MAX_WAITING) throw unavailable("signing in");
	if (underWay >= MAX_UNDER_WAY) await new Promise<void>(resolve => waiting.push(resolve));
	else underWay++;
	try {
		return await work();
	} finally {
		// The place goes to the next in line, or is free.
		const next = waiting.shift();
		if (next) next();
		else underWay--;
	}
}

/** Rejects with 503 `UNAVAILABLE` when too many are in line. */
export const hashPassword = (password: string): Promise<string> =>
	inTurn(async () => {
		const nonce = randomBytes(16);
		const hash = await derive("argon2id", { message: normalisePassword(password), nonce, tagLength: HASH_BYTES, ...COST });
		return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${base64(nonce)}$${base64(hash)}`;
	});

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

/** What is compared with where there is no account: the answer must take as long as where there is one. Nobody knows its password. */
const nobody = `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${base64(randomBytes(16))}$${base64(randomBytes(HASH_BYTES))}`;

/** Whether this is the password; `undefined`, for an account that does not exist, takes as long and is never right. Rejects like `hashPassword`. */
export const isPassword = (password: string, stored: string | undefined): Promise<boolean> =>
	inTurn(async () => {
		const [, memory, passes, parallelism, salt = "", hash = ""] = PHC.exec(stored ?? nobody) ?? [];
		const expected = Buffer.from(hash, "base64");
		const parameters = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
		const message = normalisePassword(password);
		const given = await derive("argon2id", {
			message,
			nonce: Buffer.from(salt, "base64"),
			tagLength: expected.length,
			...parameters
		});
		return timingSafeEqual(given, expected) && stored !== undefined;
	});
