// Topics that every node reads, and the choice of the one node that publishes their dead letters.
import type { Service, ServiceBroker } from "moleculer";
import type { EveryNode } from "./handler-types.ts";

/** What a service's schema lists under `topics`. */
export const topicsOf = (service: Service) => (service.schema as { topics?: Record<string, unknown> }).topics ?? {};

/** The handler of a topic that every node reads; undefined for any other. */
export const everyNodeHandler = (handler: unknown) =>
	(handler as EveryNode<unknown>).everyNode ? (handler as EveryNode<unknown>) : undefined;

/** The topics of a service that every node reads. */
export const everyNodeTopicsOf = (service: Service): string[] =>
	Object.entries(topicsOf(service)).flatMap(([topic, handler]) => (everyNodeHandler(handler) ? topic : []));

/** Whether this node's id is the first one of the available nodes that run the service. */
export const isFirstNode = ({ registry, nodeID }: ServiceBroker, name: string): boolean => {
	const services: { name: string; nodeID?: string }[] = registry.getServiceList({ onlyAvailable: true });
	return services.every(other => other.name !== name || (other.nodeID ?? nodeID) >= nodeID);
};

/** Publishes nothing: another node publishes the same records, and logs them. */
export const leftToAnotherNode = { log: { append: async () => {} }, logger: { warn() {} } };
