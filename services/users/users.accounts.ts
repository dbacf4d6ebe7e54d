import { randomUUID } from "node:crypto";
import { conflict, invalid, unavailableAs } from "../../mixins/errors.ts";
import type { Role, User } from "./users.contract.ts";
import type { Credentials } from "./users.credentials.ts";
import { normaliseEmail, passwordError } from "./users.rules.ts";
import type { UserStore } from "./users.store.ts";

export interface NewAccount {
	email: string;
	password: string;
	name: string;
	role: Role;
	/** The client address of the registration; undefined for the operator. */
	address?: string;
}

/** Creates an account. Rejects with `VALIDATION_ERROR`, `CONFLICT` if the address has one already, `TOO_MANY_REQUESTS` and `UNAVAILABLE`. */
export async function createAccount(
	store: UserStore,
	{ hash }: Pick<Credentials, "hash">,
	{ password, name, role, address, ...given }: NewAccount
): Promise<User> {
	const email = normaliseEmail(given.email);
	if (!email) throw invalid([{ field: "email", message: "must be an e-mail address" }]);
	const error = passwordError(password, { name, email });
	if (error) throw invalid([error]);
	const passwordHash = await hash(password, address);
	const id = `acct_${randomUUID().replaceAll("-", "")}`;
	const user = await store.add({ id, email, name, role, passwordHash }).catch(unavailableAs("Postgres"));
	if (!user) throw conflict("This address has an account already", { field: "email" });
	return user;
}
