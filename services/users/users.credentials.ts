// Hashes passwords, for new accounts and for sign-ins. The hashes are queued and counted by client address; failures and refusals are logged.
import { unauthorized, unavailableAs } from "../../mixins/errors.ts";
import type { ThrottledLog } from "../../mixins/throttled-log.ts";
import { logNameOf } from "../../runtime/http/client-address.ts";
import type { User } from "./users.contract.ts";
import type { SignInLimits } from "./users.limits.ts";
import { passwordLimiter } from "./users.password-limiter.ts";
import { hashPassword, verifyPassword } from "./users.passwords.ts";
import { normaliseEmail } from "./users.rules.ts";
import type { UserStore } from "./users.store.ts";

export interface Credentials {
	/**
	 * The hash of a new password, to be stored. `address`: of the client; undefined for the operator, whose hashes are queued but not limited in number.
	 * Rejects with 429 `TOO_MANY_REQUESTS` and 503 `UNAVAILABLE`.
	 */
	hash(password: string, address: string | undefined): Promise<string>;
	/**
	 * The outcome of `open`, called with the account of these credentials. Rejects like `hash`, and with 401 `UNAUTHORIZED`, which does not say
	 * whether the account exists.
	 */
	signIn<T>(given: { email: string; password: string }, address: string, open: (user: User) => Promise<T>): Promise<T>;
}

/** The queue of the operator's work. */
const OPERATOR = "operator";

/** `log` gets ids and pseudonyms only. */
export function credentials(
	store: UserStore,
	{ takeHash, takeSignIn }: Pick<SignInLimits, "takeHash" | "takeSignIn">,
	log: ThrottledLog["log"]
): Credentials {
	const limitPasswords = passwordLimiter();

	/** Runs work that hashes one password when it is the client's turn. */
	const inTurn = async <T>(address: string, work: () => Promise<T>): Promise<T> => {
		let isAdmitted = false;
		try {
			return await limitPasswords(address, async () => {
				await takeHash(address);
				isAdmitted = true;
				return work();
			});
		} catch (error) {
			if (!isAdmitted)
				log("password refused unchecked: too many from this client, or queue full", { client: logNameOf(address) });
			throw error;
		}
	};

	return {
		hash(password, address) {
			const work = () => hashPassword(password);
			return address === undefined ? limitPasswords(OPERATOR, work) : inTurn(address, work);
		},

		signIn: (given, address, open) =>
			// The look-up and the count are inside: a queued attempt then sees the result of the attempts before it.
			inTurn(address, async () => {
				const client = logNameOf(address);
				const email = normaliseEmail(given.email);
				const found = email === undefined ? undefined : await store.byEmail(email, address).catch(unavailableAs("Postgres"));
				const attempt = { address, email: email ?? given.email, lastSession: found?.lastSession };
				await takeSignIn(attempt).catch(error => {
					log("sign-in locked: too many failures", { client, user: found?.user.id });
					throw error;
				});
				const isRight = await verifyPassword(given.password, found?.passwordHash);
				if (!found || !isRight) {
					log("sign-in failed", { client });
					throw unauthorized("Wrong e-mail address or password");
				}
				return open(found.user);
			})
	};
}
