import type { ServiceBroker } from "moleculer";
import { checksOf } from "../../mixins/health.ts";
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

/** What the world may read; why is in the log and on the node's own page, where names of hosts may stand. */
const PUBLIC_STATES = new Set(["ok", "unavailable", "starting", "not running", "no answer"]);
const toPublic = (checks: Checks): Checks =>
	Object.fromEntries(Object.entries(checks).map(([name, state]) => [name, PUBLIC_STATES.has(state) ? state : "waiting"]));

/** This node alone: what it needs, and whether its services have started. */
export async function nodeHealth(broker: ServiceBroker): Promise<Health> {
	const checks = { ...(await checksOf(broker)), node: broker.started ? "ok" : "starting" };
	return { status: Object.values(checks).every(state => state === "ok") ? "ok" : "down", checks };
}

async function askAll(broker: ServiceBroker): Promise<Health> {
	const nodes: RemoteNode[] = broker.registry.getNodeList({ onlyAvailable: true, withServices: false });
	// A person at a prompt is a node too, but nobody's health.
	const workers = nodes.filter(({ id, metadata }) => id !== broker.nodeID && metadata?.works?.length);
	const ask = (nodeID: string) =>
		broker
			.call<Checks, object>("health.report", {}, { nodeID, timeout: ASK_TIMEOUT_MS })
			.catch((): Checks => ({ nodes: "no answer" }));
	const [own, ...reports] = await Promise.all([nodeHealth(broker), ...workers.map(({ id }) => ask(id))]);
	const worked = new Set(nodes.flatMap(({ metadata }) => metadata?.works ?? []));
	const services = Object.fromEntries(serviceNames.map(name => [name, worked.has(name) ? "ok" : "not running"]));
	const checks = toPublic(merge([own.checks, ...reports, services]));
	return { status: Object.values(checks).every(state => state === "ok") ? "ok" : "down", checks };
}

const pending = new WeakMap<ServiceBroker, Promise<Health>>();

/**
 * The whole system as this node sees it: every node is asked, and every service must be worked at somewhere. Answers within two seconds;
 * who asks while an answer is under way shares it.
 */
export async function clusterHealth(broker: ServiceBroker): Promise<Health> {
	if (!broker.started) {
		const { status, checks } = await nodeHealth(broker);
		return { status, checks: toPublic(checks) };
	}
	const shared = pending.get(broker) ?? askAll(broker).finally(() => pending.delete(broker));
	pending.set(broker, shared);
	return shared;
}
