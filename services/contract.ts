// Every service, every action and every topic of the system. This file and moleculer.config.ts are the architecture.
import { gather } from "../contract/gather.ts";
import * as api from "./api/api.contract.ts";
import * as deadletters from "./deadletters/deadletters.contract.ts";
import * as health from "./health/health.contract.ts";
import * as inventory from "./inventory/inventory.contract.ts";
import * as orders from "./orders/orders.contract.ts";
import * as payment from "./payment/payment.contract.ts";
import * as products from "./products/products.contract.ts";
import * as purchase from "./purchase/purchase.contract.ts";
import * as seats from "./seats/seats.contract.ts";
import * as selections from "./selections/selections.contract.ts";
import * as socket from "./socket/socket.contract.ts";
import * as summary from "./summary/summary.contract.ts";
import * as sync from "./sync/sync.contract.ts";
import * as users from "./users/users.contract.ts";
import * as wallet from "./wallet/wallet.contract.ts";

export const contracts = {
	api,
	deadletters,
	health,
	inventory,
	orders,
	payment,
	products,
	purchase,
	seats,
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

export const actions = gather(contracts, "actions");
export const topics = gather(contracts, "topics");

/** The contracts, typed only to check `dependsOn`: a name of no service does not compile. */
const dependencies: Record<ServiceName, { actions: object; dependsOn?: readonly ServiceName[] }> = contracts;

/** Services that every node runs: they answer questions about that node, or for the operator. */
const everywhere: readonly ServiceName[] = ["health", "deadletters"];

/** The services that can be chosen with `SERVICES`. */
export const serviceNames = (Object.keys(contracts) as ServiceName[]).filter(name => !everywhere.includes(name));

/** The services whose actions this service calls. */
export const dependenciesOf = (name: ServiceName): readonly ServiceName[] => {
	// The gateway has routes to all services; a request must not depend on another process (docs/decisions/0002).
	if (name === "api" || name === "socket") return serviceNames.filter(other => other !== "api" && other !== "socket");
	return dependencies[name].dependsOn ?? [];
};

/**
 * Returns the services that a node must load to run those given: these, and all that they call, directly or not.
 * Actions keep no state in memory, so they run in the process that calls them; consumers, relays and listeners run only where `SERVICES` names the service.
 */
export function withDependencies(names: readonly ServiceName[]): ServiceName[] {
	const loaded = new Set<ServiceName>(everywhere);
	const load = (name: ServiceName) => {
		if (loaded.has(name)) return;
		loaded.add(name);
		for (const other of dependenciesOf(name)) load(other);
	};
	for (const name of names) load(name);
	return [...loaded];
}
