import type { ServiceBroker } from "moleculer";
import { checksOf } from "../../mixins/dependency.ts";
import { serviceNames } from "../contract.ts";
import type { Checks } from "./health.contract.ts";

export interface Health {
	status: "ok" | "down";
	checks: Checks;
}

interface RemoteNode {
	id: string;
	available: boolean;
	metadata: { works?: string[] } | null;
}

const ASK_TIMEOUT_MS = 1_500;

/** Several nodes' views of one thing: well only if all are well. */
const merge = (reports: Checks[]): Checks => {
	const merged: Checks = {};
	for (const report of reports)
		for (const [name, state] of Object.entries(report))
			if (merged[name] === undefined || merged[name] === "ok") merged[name] = state;
	return merged;
};

/** This node alone: what it needs, and whether its services have started. */
export async function ownHealth(broker: ServiceBroker): Promise<Health> {
	const checks = { ...(await checksOf(broker)), node: broker.started ? "ok" : "starting" };
	return { status: Object.values(checks).every(state => state === "ok") ? "ok" : "down", checks };
}

/** The whole system as this node sees it: every node is asked, and every service must be worked at somewhere. Answers within two seconds. */
export async function health(broker: ServiceBroker): Promise<Health> {
	const own = await ownHealth(broker);
	if (!broker.started) return own;

	const nodes: RemoteNode[] = broker.registry.getNodeList({ onlyAvailable: true, withServices: false });
	const others = nodes.filter(({ id }) => id !== broker.nodeID);
	const reports = await Promise.all(
		others.map(({ id }) =>
			broker
				.call<Checks, object>("health.report", {}, { nodeID: id, timeout: ASK_TIMEOUT_MS })
				.catch((): Checks => ({ [`node:${id}`]: "no answer" }))
		)
	);
	const worked = new Set(nodes.flatMap(({ metadata }) => metadata?.works ?? []));
	const services = Object.fromEntries(serviceNames.map(name => [name, worked.has(name) ? "ok" : "not running"]));
	const checks = merge([own.checks, ...reports, services]);
	return { status: Object.values(checks).every(state => state === "ok") ? "ok" : "down", checks };
}
