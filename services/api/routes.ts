// The routes that the contracts declare; nothing else is reachable over HTTP.
import type { ActionContract } from "../../contract/action.ts";

export type Contracts = Record<string, ActionContract>;

/**
 * The gateway's aliases: `POST /api/purchases` → `purchase.create`. Throws if a contract has a route but no `who`, a `maxBody` for others than admins, or an
 * `etag` for a route whose responses clients cannot share.
 */
export const routes = (contracts: Contracts): Record<string, string> =>
	Object.fromEntries(
		Object.entries(contracts).flatMap(([name, { rest, who, maxBody, etag }]) => {
			if (!rest) return [];
			if (!who) throw new Error(`${name} has a route, but its contract does not say who may call it: add \`who\``);
			if (maxBody && who !== "admin") throw new Error(`${name} has a maxBody, but not only admins may call it`);
			if (etag && !(who === "anyone" && rest.startsWith("GET ")))
				throw new Error(`${name} has an etag, but is not a GET that anyone may call`);
			// Every GET route also answers HEAD.
			return rest.startsWith("GET ")
				? [
						[rest, name],
						[rest.replace("GET", "HEAD"), name]
					]
				: [[rest, name]];
		})
	);
