// Every service, every action and every topic of the system. This file and moleculer.config.ts are the architecture.
import * as api from "./api/api.contract.ts";
import * as deadletters from "./deadletters/deadletters.contract.ts";
import * as health from "./health/health.contract.ts";
import * as inventory from "./inventory/inventory.contract.ts";
import * as orders from "./orders/orders.contract.ts";
import * as payment from "./payment/payment.contract.ts";
import * as products from "./products/products.contract.ts";
import * as purchase from "./purchase/purchase.contract.ts";
import * as selections from "./selections/selections.contract.ts";
import * as socket from "./socket/socket.contract.ts";
import * as summary from "./summary/summary.contract.ts";
import * as sync from "./sync/sync.contract.ts";
import * as users from "./users/users.contract.ts";
import * as wallet from "./wallet/wallet.contract.ts";

const contracts = {
	api,
	deadletters,
	health,
	inventory,
	orders,
	payment,
	products,
	purchase,
	selections,
	socket,
	summary,
	sync,
	users,
	wallet
};

export type ServiceName = keyof typeof contracts;
/** The actions that one service's contract declares. */
export type ActionsOf<Name extends string> = Name extends ServiceName
	? (typeof contracts)[Name]["actions"]
	: Record<never, never>;
type Gathered<Part extends "actions" | "topics"> = UnionToIntersection<(typeof contracts)[ServiceName][Part]>;
type UnionToIntersection<U> = (U extends unknown ? (one: U) => void : never) extends (all: infer I) => void
	? { [K in keyof I]: I[K] }
	: never;

const gather = <Part extends "actions" | "topics">(part: Part) =>
	Object.assign({}, ...Object.values(contracts).map(contract => contract[part])) as Gathered<Part>;

export const actions = gather("actions");
export const topics = gather("topics");

/** What every node answers, for those who run it. */
const everywhere: readonly ServiceName[] = ["health", "deadletters"];

/** The services that can be chosen with `SERVICES`. */
export const serviceNames = (Object.keys(contracts) as ServiceName[]).filter(name => !everywhere.includes(name));

const dependenciesOf = (name: ServiceName): readonly string[] => {
	// The gateway's doors lead to every service that has one; a request must never depend on another process being alive.
	if (name === "api" || name === "socket") return serviceNames.filter(other => other !== "api" && other !== "socket");
	return (contracts[name] as { dependsOn?: readonly string[] }).dependsOn ?? [];
};

/**
 * The services whose answers a node must carry to do the work of those it runs: themselves, and all that they call.
 * Answers (actions) keep nothing in memory, so they run wherever they are called; work (consuming, relaying, listening) only where `SERVICES` says.
 */
export function withDependencies(names: readonly string[]): ServiceName[] {
	const carried = new Set<string>(everywhere);
	const visit = (name: string) => {
		if (carried.has(name)) return;
		carried.add(name);
		for (const other of dependenciesOf(name as ServiceName)) visit(other);
	};
	for (const name of names) visit(name);
	return [...carried] as ServiceName[];
}
