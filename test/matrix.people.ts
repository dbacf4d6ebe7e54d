// Those who try the doors of one system: three accounts of it, and what each caller of the matrix brings to say who they are.
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

export interface People {
	/** The account that a caller is, or says that it is. */
	accountOf(caller: Caller): string;
	/** Each of a session of its own: some actions end it. */
	tokenOf(caller: Caller): Promise<string | undefined>;
	idOf(user: User): string;
}

/** For a system that signs with the tests' JWT_SECRET. */
export async function peopleOf(url: string): Promise<People> {
	const [own, other, boss] = await Promise.all([register(url, "own"), register(url, "other"), register(url, "boss")]);
	const accountOf = (caller: Caller) => (caller === "other" ? other : caller === "admin" ? boss : own).id;
	return {
		accountOf,

		async tokenOf(caller) {
			if (caller === "nobody") return undefined;
			if (caller === "garbage") return "no.token.atall";
			if (caller === "refresh") return own.refreshToken;
			if (caller === "forged") return mint(own.id, { secret: "somebody else's secret, as long as it must be" });
			if (caller === "expired") return mint(own.id, { endsInMs: -60_000 });
			return mint(accountOf(caller), { role: caller === "admin" ? "admin" : "user" });
		},

		idOf: user => ({ account: own.id, missing: newAccount(), guest: fresh("guest"), "-": "" })[user]
	};
}
