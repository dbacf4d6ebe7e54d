// How often one may try to sign in: guessing is slow, and does not keep out whose account it is.
import { createHash } from "node:crypto";
import { tooMany } from "../../mixins/errors.ts";
import type { Limits, Rate } from "../../mixins/limits/limits.ts";

/** Tries that fail, of one address for one e-mail address. One that succeeds begins anew. */
const FAILED_PER_ADDRESS: Rate = { burst: 20, perSecond: 1 / 60 };
/** The same from all addresses together. Those from which its owner has signed in before are not held to it: there nobody else's guesses count. */
const FAILED_PER_EMAIL: Rate = { burst: 200, perSecond: 1 / 10 };
/** What one address may have computed of all that passwords cost; one that many people share, or a test, has room. */
const HASHES_PER_ADDRESS: Rate = { burst: 3_000, perSecond: 10 };

/** Who tries to sign in as whom, and from where. */
export interface Attempt {
	address: string;
	/** As an account would have it, whether there is one or not. */
	email: string;
	/** The last sign-in of the account from this address. */
	lastSession: string | undefined;
}

/** No list of those who are here can be had from what counts them. */
const hashed = (email: string) => createHash("sha256").update(email).digest("base64url");

export function signInLimits(limits: Limits) {
	const take = async (message: string, key: string, rate: Rate) => {
		const waitMs = await limits.take(key, rate);
		if (waitMs !== undefined) throw tooMany(message, waitMs);
	};

	return {
		/** Counts that a password is to be computed for this address. Rejects with 429 `TOO_MANY_REQUESTS`. */
		takeHash: (address: string) => take("Too many sign-ins from here, slow down", `password:${address}`, HASHES_PER_ADDRESS),

		/** Counts a try before it is known how it ends, so that many at once are no more than many in a row. Rejects like `work`. */
		async takeSignIn({ address, email, lastSession: lastHere }: Attempt) {
			const message = "Too many failed sign-ins, wait before the next";
			await take(message, `sign-in:${address}:${hashed(email)}:${lastHere ?? ""}`, FAILED_PER_ADDRESS);
			if (lastHere === undefined) await take(message, `sign-in:${hashed(email)}`, FAILED_PER_EMAIL);
		}
	};
}
