// The test users of the authorization matrix: three accounts of one system, and the token of each caller.
import assert from "node:assert/strict";
import { fresh, httpClient } from "./client.ts";
import type { Caller, User } from "./matrix.cases.ts";
import { mint, newAccount } from "./tokens.ts";

interface Account {
	id: string;
	refreshToken: string;
}

async function register(url: string, name: string): Promise<Account> {
	const account = { email: `${fresh(name)}@example.org`, password: "correct horse battery", name };
	const { status, json, text } = await httpClient(url).post("/api/auth/register", account);
	assert.equal(status, 201, text);
	return { id: json.user.id, refreshToken: json.refreshToken };
}

export interface TestUsers {
	/** The account that a caller has or claims to have. */
	accountOf(caller: Caller): string;
	/** A token of a new session for each call, because some actions end the session. */
	tokenOf(caller: Caller): Promise<string | undefined>;
	idOf(user: User): string;
}

/** Registers the accounts; the system must use the tests' JWT_SECRET. */
export async function registerTestUsers(url: string): Promise<TestUsers> {
	const [own, other, boss] = await Promise.all([register(url, "own"), register(url, "other"), register(url, "boss")]);
	const accountOf = (caller: Caller) => (caller === "other" ? other : caller === "admin" ? boss : own).id;
	return {
		accountOf,

		async tokenOf(caller) {
			if (caller === "nobody") return undefined;
			if (caller === "garbage") return "no.token.atall";
			if (caller === "refresh") return own.refreshToken;
			if (caller === "forged") return mint(own.id, { secret: "another secret with the required minimum length" });
			if (caller === "expired") return mint(own.id, { endsInMs: -60_000 });
			return mint(accountOf(caller), { role: caller === "admin" ? "admin" : "user" });
		},

		idOf: user => ({ account: own.id, missing: newAccount(), guest: fresh("guest"), "-": "" })[user]
	};
}
