// Handles the records of one service's topics: decodes them, runs the handlers, publishes dead letters and misrouted records, and only then
// lets their offsets be committed.
import type { Service } from "moleculer";
import { isUnavailable } from "../errors.ts";
import { isForAnother } from "./dead-letter.ts";
import { type Decoded, type DecodeOptions, decode, isMovedCopy } from "./decode.ts";
import { everyNodeTopicsOf, isFirstNode, leftToAnotherNode, topicsOf } from "./every-node.ts";
import type { HandleBatch, HandleOne, Received } from "./handler-types.ts";
import { type Account, registerTopicMetrics, topicMetrics } from "./metrics.ts";
import type { TopicsOptions } from "./options.ts";
import { publishRejected } from "./reject-publisher.ts";
import { type Outcome, type RunOptions, runBatch, runPerKey } from "./run-handler.ts";
import type { Batch, BatchHandler, TopicLog, TopicRecord } from "./topic-log.ts";
import { type Handler, wrapHandlers } from "./wrap-handlers.ts";

export type One = HandleOne<unknown>;
export type Whole = { batch: HandleBatch<unknown> };

export interface Subscription {
	handle: BatchHandler;
	/** What a partition is waiting for; undefined if none waits. */
	problem(): string | undefined;
}

const ATTEMPTS = 5;
const CONCURRENCY = 64;

const offsetsOf = (some: Decoded[]) => some.map(({ record }) => record.offset);

/** Calls of a handler carry on the request id, and the `meta`, of the request that published the message. */
const decodeOptionsOf = ({ broker }: Service, { partitions, metaKeys = [] }: TopicsOptions): DecodeOptions => ({
	partitions,
	metaKeys,
	newRequestID: () => broker.generateUid(),
	contextOf: (requestID, meta) => ({
		call: (action, params, options) =>
			broker.call(
				action,
				params,
				meta ? { ...options, requestID, meta: { ...meta, ...options?.meta } } : { ...options, requestID }
			)
	})
});

const runOptionsOf = ({ attempts = ATTEMPTS, concurrency = CONCURRENCY, ...options }: TopicsOptions): RunOptions => ({
	attempts,
	concurrency,
	isUnavailable: error => isUnavailable(error) || (options.isUnavailable?.(error) ?? false)
});

/** One service's subscription to the topics of its schema. */
export function subscription(service: Service, log: TopicLog, options: TopicsOptions): Subscription {
	const { broker, logger } = service;
	const { contracts, group = service.name } = options;
	const handlers = wrapHandlers(service, group, topicsOf(service) as Record<string, One | Whole>);
	const decodeOptions = decodeOptionsOf(service, options);
	const { publishesDeadLetters = isFirstNode } = options;
	const everyNodeTopics = new Set(everyNodeTopicsOf(service));
	const runOptions = runOptionsOf(options);
	const waiting = new Map<string, { waitingFor: string; isCurrent: Batch["isCurrent"] }>();
	/** Partitions whose handler has not had a batch since they were assigned: their first batch may hold nothing for it. */
	const newlyAssigned = new Set<string>();
	const metrics = Object.fromEntries(Object.keys(handlers).map(topic => [topic, topicMetrics()]));
	registerTopicMetrics(broker, group, metrics, options.metricsPrefix);

	const run = (readable: Received<unknown>[], batch: Batch): Promise<Outcome> => {
		const { topic, partition } = batch;
		const handler = handlers[topic] as Handler;
		if ("one" in handler) return runPerKey(readable, handler.one, batch, runOptions);
		const currentEnd = async () => (await log.ends(topic))[partition]!;
		const runWhole = (received: Received<unknown>[]) =>
			handler.batch({ ...batch, currentEnd, first: newlyAssigned.has(`${topic}/${partition}`), received });
		return runBatch(readable, runWhole, batch, runOptions);
	};

	/** `others`: messages that this group handled before: replayed for another group, or copies of misrouted ones. */
	const handle = async (batch: Batch, ours: Decoded[], others: Decoded[], account: Account): Promise<number> => {
		const { topic, partition, records, isCurrent } = batch;
		const place = `${topic}/${partition}`;
		const readable = ours.flatMap(one => ("received" in one ? [one.received] : []));
		logger.debug("consumed", { topic, partition, offset: records[0]!.offset, requestIDs: readable.map(one => one.requestID) });

		const outcome = await run(readable, batch);
		account.handled(outcome.handled, outcome.duplicates);
		const isDone = ({ record }: { record: { offset: number } }) => record.offset < outcome.next;
		if (readable.some(isDone)) newlyAssigned.delete(place);
		const isPublisher = !everyNodeTopics.has(topic) || publishesDeadLetters(broker, service.name);
		const publisher = isPublisher ? { log, logger } : leftToAnotherNode;
		const sent = await publishRejected(publisher.log, group, ours.filter(isDone), outcome.refused, publisher.logger);
		account.dead(sent.dead);
		account.misrouted(sent.misrouted);
		account.notForUs(offsetsOf(others.filter(isDone)));

		const { next, waitingFor } = outcome;
		if (waitingFor === undefined) waiting.delete(place);
		else {
			if (!waiting.has(place)) logger.warn(`${place} waits at offset ${next}, retrying: ${waitingFor}`);
			waiting.set(place, { waitingFor, isCurrent });
		}
		return next;
	};

	return {
		async handle(batch) {
			const { topic, partition, records, isCurrent } = batch;
			const place = `${topic}/${partition}`;
			if (batch.first) newlyAssigned.add(place);
			const anyPartition = everyNodeTopics.has(topic);
			const topicOptions = { ...decodeOptions, anyPartition };
			const decoded = records.map(record => decode(record, contracts[topic]!, topicOptions));
			// Of a misrouted record, a reader of all partitions has had the original.
			const isOther = (record: TopicRecord) => isForAnother(record, group) || (anyPartition && isMovedCopy(record));
			const ours = decoded.filter(({ record }) => !isOther(record));
			const others = decoded.filter(({ record }) => isOther(record));
			const account = metrics[topic]!.take(batch, offsetsOf([...others, ...ours.filter(one => !("misrouted" in one))]));
			let next = records[0]!.offset;
			try {
				next = await handle(batch, ours, others, account);
				return next;
			} catch (error) {
				// Only the log itself can fail here: a dead letter or a misrouted record could not be published, so the offset stays.
				waiting.set(place, { waitingFor: isUnavailable(error) ? "the log is unavailable" : (error as Error).message, isCurrent });
				throw error;
			} finally {
				account.close(next);
			}
		},

		problem() {
			// A partition that was reassigned is the business of its new owner.
			for (const [place, { isCurrent }] of waiting) if (!isCurrent()) waiting.delete(place);
			return waiting.size === 0
				? undefined
				: `waiting: ${[...new Set([...waiting.values()].map(one => one.waitingFor))].join("; ")}`;
		}
	};
}
