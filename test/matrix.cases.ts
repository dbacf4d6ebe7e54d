// The expected authorization rules, deliberately independent of contract/access.ts: a table, and all its cases for the actions of the contracts.
import type { ActionContract } from "../contract/action.ts";

/** The caller's token. `forged`: wrong signature; `refresh`: the right signature, but a refresh token. */
export const CALLERS = ["nobody", "garbage", "forged", "expired", "refresh", "other", "own", "admin"] as const;
export type Caller = (typeof CALLERS)[number];
/** The user id of the request: of an account; of the form of an account id without an account; of a guest. `-`: the action has no owner. */
export type User = "account" | "missing" | "guest" | "-";
/** `in`: neither 401 nor 403; the status is otherwise not checked. */
export type Outcome = "in" | "401" | "403";

const TABLE = `
	who      under    guests   nobody garbage forged expired refresh other own admin
	anyone   -        on,off   in     in      in     in      in      in    in  in
	visitor  -        on       in     401     401    401     401     in    in  in
	visitor  -        off      401    401     401    401     401     in    in  in
	account  -        on,off   401    401     401    401     401     in    in  in
	admin    -        on,off   401    401     401    401     401     403   403 in
	owner    account  on,off   401    401     401    401     401     403   in  403
	owner    missing  on,off   401    401     401    401     401     403   403 403
	owner    guest    on       in     401     401    401     401     in    in  in
	owner    guest    off      401    401     401    401     401     401   401 401
`;

const rows = TABLE.trim()
	.split("\n")
	.slice(1)
	.map(line => {
		const [who, under, guests, ...outcomes] = line.trim().split(/\s+/) as [string, User, string, ...Outcome[]];
		return { who, under, guests: guests.split(","), outcomes };
	});

export interface Case {
	under: User;
	caller: Caller;
	expected: Outcome;
}

/** All cases for actions with this `who`. */
export function casesOf(who: string, guests: "on" | "off"): Case[] {
	const these = rows.filter(row => row.who === who && row.guests.includes(guests));
	if (these.length === 0) throw new Error(`the table has no rows for who: "${who}"`);
	return these.flatMap(({ under, outcomes }) => CALLERS.map((caller, n) => ({ under, caller, expected: outcomes[n]! })));
}

/** Whether the caller's token is invalid. */
export const isTokenRefused = ({ caller }: Case) => ["garbage", "forged", "expired", "refresh"].includes(caller);

type Fields = Record<string, unknown>;

/** The parameters of a call: the example of the contract; if the action has an owner, with this user id. */
export function paramsOf(name: string, { example, actor, who }: ActionContract, user: string): Fields {
	if (!example) throw new Error(`${name} has an endpoint but no example: add one to its contract`);
	const params = example.params as Fields;
	if (who !== "owner") return params;
	const probe = "the owner";
	const field = Object.keys(params).find(one => actor?.({ ...params, [one]: probe }) === probe);
	if (!field) throw new Error(`${name} has an owner, but no field of its example holds the owner's id`);
	return { ...params, [field]: user };
}

/** The HTTP request for a route with these parameters. */
export function requestOf(rest: string, params: Fields): { method: string; path: string; body: Fields | undefined } {
	const [method = "", route = ""] = rest.split(" ");
	const body = { ...params };
	const path = route.replace(/:(\w+)/g, (_, field: string) => {
		delete body[field];
		return encodeURIComponent(String(params[field]));
	});
	const hasNoBody = method === "GET" || (method === "DELETE" && Object.keys(body).length === 0);
	return { method, path, body: hasNoBody ? undefined : body };
}
