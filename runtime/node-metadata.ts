// What each node says of itself to the others, and how it is read.
import type { ServiceBroker } from "moleculer";

interface NodeMetadata {
	runsServices: readonly string[];
}

/** The broker option `metadata`: the services that this node runs, as opposed to those whose actions it only has for local calls. */
export const nodeMetadata = (runsServices: readonly string[]): NodeMetadata => ({ runsServices });

/** The available nodes with the services that they run. A node of another kind, such as a REPL, runs none. */
export const availableNodes = ({
	registry
}: Pick<ServiceBroker, "registry">): { id: string; runsServices: readonly string[] }[] =>
	registry
		.getNodeList({ onlyAvailable: true, withServices: false })
		.map(({ id, metadata }: { id: string; metadata: Partial<NodeMetadata> | null }) => ({
			id,
			runsServices: metadata?.runsServices ?? []
		}));

/** The ids of the available nodes that run a service. */
export const nodesRunning = (broker: Pick<ServiceBroker, "registry">, service: string): string[] =>
	availableNodes(broker)
		.filter(({ runsServices }) => runsServices.includes(service))
		.map(({ id }) => id);
