// What happens to the records of one service's topics: read, handed to their handler, given up only into a dead letter, and only then left behind.
import type { Service } from "moleculer";
import type { Handled, Received } from "../../define.ts";
import { isAway } from "../errors.ts";
import { deadLetter } from "./dead-letter.ts";
import { type Decoded, decode } from "./decode.ts";
import { handleBatch, handleLanes, type Outcome } from "./handle.ts";
import type { Batch, BatchHandler, Outgoing, TopicLog } from "./topic-log.ts";
import type { TopicsOptions } from "./topics.ts";

export type One = (received: Received<unknown>) => Promise<Handled | void>;
export type Whole = {
	batch: (batch: {
		received: Received<unknown>[];
		topic: string;
		partition: number;
		endOffset: number;
		first: boolean;
	}) => Promise<Handled | void>;
};

/** What a service's schema lists under `topics`. */
export const topicsOf = (service: Service) => (service.schema as { topics?: Record<string, unknown> }).topics ?? {};

export interface Subscription {
	handle: BatchHandler;
	/** What a partition is waiting for, if any is. */
	trouble(): string | undefined;
}

const FIGURES = { consumed: "read", applied: "handled", duplicate: "handled before", dead: "given up" } as const;

/** One service's subscription to the topics of its schema. */
export function subscription(service: Service, log: TopicLog, { contracts, partitions }: TopicsOptions): Subscription {
	const { broker, logger, name: group } = service;
	const handlers = topicsOf(service) as Record<string, One | Whole>;
	const waiting = new Map<string, string>();
	/** Partitions whose handler has not been told yet that they are ours now: their first batch may hold nothing that it is given. */
	const untold = new Set<string>();
	for (const [figure, description] of Object.entries(FIGURES))
		broker.metrics.register({
			type: "counter",
			name: `plaza.topics.${figure}`,
			description: `messages ${description}`,
			labelNames: ["topic", "group"]
		});
	const count = (figure: keyof typeof FIGURES, topic: string, by: number) => {
		if (by > 0) broker.metrics.increment(`plaza.topics.${figure}`, { topic, group }, by);
	};
	const callerOf = (requestID: string) => ({
		call: (action: string, params: object, options?: object) => broker.call(action, params, { ...options, requestID })
	});

	const bury = (decoded: Extract<Decoded, { dead: unknown }>): Outgoing => {
		const { record, dead } = decoded;
		logger.warn(`${record.topic}/${record.partition}/${record.offset} goes to its dead letters: ${dead.message}`);
		return deadLetter(record, group, dead);
	};

	/** Dead letters and strays leave in the order they came, acknowledged before the offset moves past them. */
	const sendAside = async (passed: Decoded[], refused: Outcome["refused"]) => {
		const outgoing = passed.flatMap(one => {
			if ("stray" in one) return [one.stray];
			const dead = "dead" in one ? one.dead : refused.get(one.record.offset);
			return dead ? [bury({ record: one.record, dead })] : [];
		});
		if (outgoing.length > 0) await log.append(outgoing);
	};

	const add = (topic: string, passed: Decoded[], { refused, duplicates, next }: Outcome) => {
		const dead = passed.filter(one => "dead" in one || refused.has(one.record.offset)).length;
		const strays = passed.filter(one => "stray" in one).length;
		const duplicate = [...duplicates].reduce((sum, [offset, number]) => sum + (offset < next ? number : 0), 0);
		// A stray is not consumed here but where it is sent to.
		const consumed = passed.length - strays;
		count("consumed", topic, consumed);
		count("duplicate", topic, duplicate);
		count("dead", topic, dead);
		count("applied", topic, consumed - duplicate - dead);
	};

	const handle = async (batch: Batch): Promise<number> => {
		const { topic, partition, records } = batch;
		const place = `${topic}/${partition}`;
		if (batch.first) untold.add(place);
		const decoded = records.map(record => decode(record, contracts[topic]!, partitions, callerOf, () => broker.generateUid()));
		const readable = decoded.flatMap(one => ("received" in one ? [one.received] : []));
		const end = records.at(-1)!.offset + 1;
		const handler = handlers[topic]!;
		logger.debug("consumed", { topic, partition, offset: records[0]!.offset, requestIDs: readable.map(one => one.requestID) });

		const outcome: Outcome =
			typeof handler === "function"
				? await handleLanes(readable, received => handler.call(service, received), batch, end)
				: await handleBatch(
						readable,
						received => handler.batch.call(service, { ...batch, first: untold.has(place), received }),
						batch,
						end
					);

		if (readable.some(({ record }) => record.offset < outcome.next)) untold.delete(place);
		const passed = decoded.filter(({ record }) => record.offset < outcome.next);
		await sendAside(passed, outcome.refused);
		add(topic, passed, outcome);
		if (outcome.waitingFor === undefined) waiting.delete(place);
		else {
			if (!waiting.has(place)) logger.warn(`${place} waits at ${outcome.next}: ${outcome.waitingFor}`);
			waiting.set(place, outcome.waitingFor);
		}
		return outcome.next;
	};

	return {
		async handle(batch) {
			try {
				return await handle(batch);
			} catch (error) {
				// Only the log itself can fail here: what must be laid aside could not be, so nothing moves.
				waiting.set(`${batch.topic}/${batch.partition}`, isAway(error) ? "the log is away" : (error as Error).message);
				throw error;
			}
		},
		trouble: () => (waiting.size === 0 ? undefined : `waiting: ${[...new Set(waiting.values())].join("; ")}`)
	};
}
