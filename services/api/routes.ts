// The routes that the contracts declare; nothing else is reachable over HTTP.
import type { ActionContract } from "../../contract/action.ts";
import { actions } from "../contract.ts";

type Contracts = Record<string, ActionContract>;

/** The gateway's aliases: `POST /api/purchases` → `purchase.create`. Throws if a contract has a route but no `who`. */
export const routes = (contracts: object): Record<string, string> =>
	Object.fromEntries(
		Object.entries(contracts as Contracts).flatMap(([name, { rest, who }]) => {
			if (!rest) return [];
			if (!who) throw new Error(`${name} has a route, but its contract does not say who may call it: add \`who\``);
			// Every GET route also answers HEAD.
			return rest.startsWith("GET ")
				? [
						[rest, name],
						[rest.replace("GET", "HEAD"), name]
					]
				: [[rest, name]];
		})
	);

export const contractOf = (action: string): ActionContract => (actions as unknown as Contracts)[action]!;
