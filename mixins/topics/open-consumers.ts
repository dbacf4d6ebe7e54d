import type { Service } from "moleculer";
import { everyNodeHandler, everyNodeTopicsOf, topicsOf } from "./every-node.ts";
import type { BatchHandler, Consumer, TopicLog } from "./topic-log.ts";

export interface Consumers {
	consumers: Consumer[];
	/** Resolves once the service reads its `everyNode` topics. */
	positioned: Promise<void>;
}

/** Starts a service's member of its group, and its reader of the topics that every node reads, where it has such topics. */
export async function openConsumers(service: Service, log: TopicLog, group: string, handle: BatchHandler): Promise<Consumers> {
	const handlers = topicsOf(service);
	const everyNode = everyNodeTopicsOf(service);
	const grouped = Object.keys(handlers).filter(topic => !everyNode.includes(topic));
	const consumers: Consumer[] = [];
	let positioned = Promise.resolve();
	if (grouped.length > 0) consumers.push(await log.consume({ group, topics: grouped, handler: handle }));
	if (everyNode.length > 0) {
		const onMissed = (topic: string) => everyNodeHandler(handlers[topic])!.missed.call(service);
		const tail = await log.tail({ name: group, topics: everyNode, handler: handle, onMissed });
		consumers.push(tail);
		({ positioned } = tail);
	}
	return { consumers, positioned };
}
