import type { ServiceBroker } from "moleculer";
import { checksOf } from "../../mixins/health.ts";
import { availableNodes } from "../../runtime/node-metadata.ts";
import { serviceNames } from "../contract.ts";
import type { Checks } from "./health.contract.ts";

export interface Health {
	status: "ok" | "down";
	checks: Checks;
}

const REPORT_TIMEOUT_MS = 1_500;

/** Merges reports: a check is ok only if it is ok on every node that reports it. */
const merge = (reports: Checks[]): Checks => {
	const merged: Checks = {};
	for (const report of reports)
		for (const [name, state] of Object.entries(report))
			if (merged[name] === undefined || merged[name] === "ok") merged[name] = state;
	return merged;
};

/** The states that the public page may show. Details, which may contain host names, are in the log and on the node's metrics port. */
const PUBLIC_STATES = new Set(["ok", "unavailable", "starting", "not running", "no answer"]);
const toPublic = (checks: Checks): Checks =>
	Object.fromEntries(Object.entries(checks).map(([name, state]) => [name, PUBLIC_STATES.has(state) ? state : "waiting"]));

/** The health of this node: its dependencies, and whether its services have started. */
export async function nodeHealth(broker: ServiceBroker): Promise<Health> {
	const checks = { ...(await checksOf(broker)), node: broker.started ? "ok" : "starting" };
	return { status: Object.values(checks).every(state => state === "ok") ? "ok" : "down", checks };
}

async function mergeAllNodes(broker: ServiceBroker): Promise<Health> {
	const nodes = availableNodes(broker);
	// A REPL is a node without services; its state does not matter.
	const others = nodes.filter(({ id, runsServices }) => id !== broker.nodeID && runsServices.length > 0);
	const reportOf = (nodeID: string) =>
		broker
			.call<Checks, object>("health.report", {}, { nodeID, timeout: REPORT_TIMEOUT_MS })
			.catch((): Checks => ({ nodes: "no answer" }));
	const [own, ...reports] = await Promise.all([nodeHealth(broker), ...others.map(({ id }) => reportOf(id))]);
	const running = new Set(nodes.flatMap(({ runsServices }) => runsServices));
	const services = Object.fromEntries(serviceNames.map(name => [name, running.has(name) ? "ok" : "not running"]));
	const checks = toPublic(merge([own.checks, ...reports, services]));
	return { status: Object.values(checks).every(state => state === "ok") ? "ok" : "down", checks };
}

const pending = new WeakMap<ServiceBroker, Promise<Health>>();

/**
 * The health of the whole system as this node sees it: merges the reports of all nodes, and checks that every service runs on some node. Resolves
 * within two seconds; concurrent calls share one result.
 */
export async function clusterHealth(broker: ServiceBroker): Promise<Health> {
	if (!broker.started) {
		const { status, checks } = await nodeHealth(broker);
		return { status, checks: toPublic(checks) };
	}
	const shared = pending.get(broker) ?? mergeAllNodes(broker).finally(() => pending.delete(broker));
	pending.set(broker, shared);
	return shared;
}
