// Who may do what, once more and on purpose not by access.ts: a table of its own, and all cases of it for the actions that the contracts declare.
import type { ActionContract } from "../contract/action.ts";

/** What somebody brings to say who they are. `forged`: signed by somebody else; `refresh`: the right signature, but of the other kind of token. */
export const CALLERS = ["nobody", "garbage", "forged", "expired", "refresh", "other", "own", "admin"] as const;
export type Caller = (typeof CALLERS)[number];
/** Under whose id: an account's; one that looks like an account's and is none; a guest's. `-`: the action has no owner. */
export type User = "account" | "missing" | "guest" | "-";
/** `in`: neither 401 nor 403; what else comes of it is the action's. */
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

/** All cases of what is open to these. */
export function casesOf(who: string, guests: "on" | "off"): Case[] {
	const these = rows.filter(row => row.who === who && row.guests.includes(guests));
	if (these.length === 0) throw new Error(`nothing is known of who: "${who}"`);
	return these.flatMap(({ under, outcomes }) => CALLERS.map((caller, n) => ({ under, caller, expected: outcomes[n]! })));
}

/** Whether what somebody brings is no token of any account. */
export const isTokenRefused = ({ caller }: Case) => ["garbage", "forged", "expired", "refresh"].includes(caller);

type Fields = Record<string, unknown>;

/** What to ask an action with, from its contract's example; where it has an owner, as this one's business. */
export function paramsOf(name: string, { example, actor, who }: ActionContract, user: string): Fields {
	if (!example) throw new Error(`${name} has a door and no example: its contract must give one`);
	const params = example.params as Fields;
	if (who !== "owner") return params;
	const probe = "the owner";
	const field = Object.keys(params).find(one => actor?.({ ...params, [one]: probe }) === probe);
	if (!field) throw new Error(`${name} has an owner, but no field of its example says who`);
	return { ...params, [field]: user };
}

/** The request that a route is asked with. */
export function requestOf(rest: string, params: Fields): { method: string; path: string; body: Fields | undefined } {
	const [method = "", route = ""] = rest.split(" ");
	const body = { ...params };
	const path = route.replace(/:(\w+)/g, (_, field: string) => {
		delete body[field];
		return encodeURIComponent(String(params[field]));
	});
	return { method, path, body: method === "GET" ? undefined : body };
}
