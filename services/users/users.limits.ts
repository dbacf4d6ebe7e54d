// Limits for sign-in: they make guessing slow without locking out the owner of the account.
import { createHash } from "node:crypto";
import { tooMany } from "../../mixins/errors.ts";
import type { Limits, Rate } from "../../mixins/limits/limits.ts";
import { siteOf } from "../../runtime/http/client-address.ts";

/** Failed sign-ins of one client address for one e-mail address. A successful sign-in resets the count. */
const FAILED_PER_ADDRESS: Rate = { burst: 20, perSecond: 1 / 60 };
/** Failed sign-ins of all client addresses of an IPv6 site for one e-mail address: one person may have up to 65,536 client addresses. */
const FAILED_PER_SITE: Rate = { burst: 60, perSecond: 1 / 20 };
/** Failed sign-ins for one e-mail address, from all client addresses together except those from which its owner has signed in before. */
const FAILED_PER_EMAIL: Rate = { burst: 200, perSecond: 1 / 10 };
/** Password hashes for one client address; enough for an address that many people share. */
const HASHES_PER_ADDRESS: Rate = { burst: 300, perSecond: 5 };
const HASHES_PER_SITE: Rate = { burst: 1_200, perSecond: 20 };
/** Refreshes and sign-outs with the tokens of one session. A client needs one in 15 minutes, and each is a transaction of its own. */
const REFRESHES_PER_SESSION: Rate = { burst: 30, perSecond: 1 };

export interface SignInAttempt {
	/** The client address. */
	address: string;
	/** Normalised; an account may or may not exist. */
	email: string;
	/** The last session of the account from this client address. */
	lastSession: string | undefined;
}

/** Hashed, so that the keys of the limits do not list the e-mail addresses of accounts. */
const hashed = (email: string) => createHash("sha256").update(email).digest("base64url");

export function signInLimits(limits: Limits) {
	const take = async (message: string, key: string, rate: Rate) => {
		const waitMs = await limits.take(key, rate);
		if (waitMs !== undefined) throw tooMany(message, waitMs);
	};

	return {
		/** Counts one password hash for this client address. Rejects with 429 `TOO_MANY_REQUESTS`. */
		async takeHash(address: string) {
			const message = "Too many sign-ins from this address, slow down";
			await take(message, `password:${address}`, HASHES_PER_ADDRESS);
			const site = siteOf(address);
			if (site !== address) await take(message, `password:${site}`, HASHES_PER_SITE);
		},

		/** Counts one use of a refresh token of this session. Rejects like `takeHash`. */
		takeRefresh: (session: string) =>
			take("Too many refreshes of this session, slow down", `refresh:${session}`, REFRESHES_PER_SESSION),

		/** Counts an attempt before its result is known, so that concurrent attempts count like sequential ones. Rejects like `takeHash`. */
		async takeSignIn({ address, email, lastSession: lastHere }: SignInAttempt) {
			const message = "Too many failed sign-ins, try again later";
			await take(message, `sign-in:${address}:${hashed(email)}:${lastHere ?? ""}`, FAILED_PER_ADDRESS);
			if (lastHere !== undefined) return;
			const site = siteOf(address);
			if (site !== address) await take(message, `sign-in:${site}:${hashed(email)}`, FAILED_PER_SITE);
			await take(message, `sign-in:${hashed(email)}`, FAILED_PER_EMAIL);
		}
	};
}

export type SignInLimits = ReturnType<typeof signInLimits>;
