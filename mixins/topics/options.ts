import type { ServiceBroker } from "moleculer";
import type { Encodable } from "./encode.ts";

export interface TopicsOptions {
	/** Every topic that the service may publish or consume: `{ message: zodSchema, key: message => text }`. */
	contracts: Record<string, Encodable & { retentionMs?: number }>;
	/** For topics that do not exist yet; one that exists with another number is a fatal error. */
	partitions: number;
	/** Whether this node consumes for a service; otherwise the service only publishes here. Default: always. */
	consumes?: (service: string) => boolean;
	/**
	 * `false` for a process that only publishes a little, or nothing: it neither waits for the log nor creates the topics until its first `publish`,
	 * and consumes nothing. Default: true.
	 */
	usesLogAtStart?: boolean;
	/**
	 * Whether this node publishes the dead letters of a service's `everyNode` topics: all nodes find them, and one should publish them.
	 * Default: if its id is the first of the nodes that have the service.
	 */
	publishesDeadLetters?: (broker: ServiceBroker, service: string) => boolean;
	/** The consumer group. Default: the service's name. */
	group?: string;
	/** How often a handler is tried before its message becomes a dead letter. Default 5. */
	attempts?: number;
	/** How many keys of a batch are handled at the same time. Default 64. */
	concurrency?: number;
	/** More errors that mean "a dependency is unavailable": the partition waits, and nothing becomes a dead letter. See `isUnavailable` in errors.ts. */
	isUnavailable?: (error: Error) => boolean;
	/** Keys of a request's `meta` that messages carry in headers `meta-<key>`, as JSON, to the calls of their handlers. Default: none. */
	metaKeys?: readonly string[];
	/** `"shop"` gives metrics names such as `shop.topics.lag`. Default: `topics.lag`. */
	metricsPrefix?: string;
	/** Called when the topics can never be used as they are. Default: logs the error and stops the broker. */
	onFatal?: (error: Error) => void;
}
