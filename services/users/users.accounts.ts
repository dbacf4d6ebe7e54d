import { randomUUID } from "node:crypto";
import { conflict, invalid, unavailableAs } from "../../mixins/errors.ts";
import type { Role, User } from "./users.contract.ts";
import { passwordLimiter } from "./users.password-limiter.ts";
import { hashPassword } from "./users.passwords.ts";
import { normaliseEmail, passwordError } from "./users.rules.ts";
import type { UserStore } from "./users.store.ts";

export interface NewAccount {
	email: string;
	password: string;
	name: string;
	role: Role;
}

/** One for the process: it bounds the threads that hash passwords. */
export const limitPasswords = passwordLimiter();

/** Creates an account. Rejects with `VALIDATION_ERROR`, `CONFLICT` if the address has one already, and `UNAVAILABLE`. */
export async function createAccount(store: UserStore, { password, name, role, ...given }: NewAccount): Promise<User> {
	const email = normaliseEmail(given.email);
	if (!email) throw invalid([{ field: "email", message: "must be an e-mail address" }]);
	const error = passwordError(password, { name, email });
	if (error) throw invalid([error]);
	const passwordHash = await limitPasswords(() => hashPassword(password));
	const id = `acct_${randomUUID().replaceAll("-", "")}`;
	const user = await store.add({ id, email, name, role, passwordHash }).catch(unavailableAs("Postgres"));
	if (!user) throw conflict("This address has an account already", { field: "email" });
	return user;
}
