// What happens to the records of one service's topics: read, handed to their handler, given up only into a dead letter, and only then left behind.
import type { Service } from "moleculer";
import { isUnavailable } from "../errors.ts";
import { isForAnother } from "./dead-letter.ts";
import { type Decoded, decode } from "./decode.ts";
import type { HandleBatch, HandleOne, Received } from "./handler-types.ts";
import { type Account, registerTopicMetrics, topicMetrics } from "./metrics.ts";
import { publishRejected } from "./reject-publisher.ts";
import { type Outcome, runBatch, runPerKey } from "./run-handler.ts";
import type { Batch, BatchHandler, TopicLog } from "./topic-log.ts";
import type { TopicsOptions } from "./topics.ts";

export type One = HandleOne<unknown>;
export type Whole = { batch: HandleBatch<unknown> };

/** What a service's schema lists under `topics`. */
export const topicsOf = (service: Service) => (service.schema as { topics?: Record<string, unknown> }).topics ?? {};

export interface Subscription {
	handle: BatchHandler;
	/** What a partition is waiting for, if any is. */
	trouble(): string | undefined;
}

const offsetsOf = (some: Decoded[]) => some.map(({ record }) => record.offset);

/** One service's subscription to the topics of its schema. */
export function subscription(service: Service, log: TopicLog, { contracts, partitions }: TopicsOptions): Subscription {
	const { broker, logger, name: group } = service;
	const handlers = topicsOf(service) as Record<string, One | Whole>;
	const waiting = new Map<string, { waitingFor: string; isCurrent: Batch["isCurrent"] }>();
	/** Partitions whose handler has not been told yet that they are ours now: their first batch may hold nothing that it is given. */
	const untold = new Set<string>();
	const figures = Object.fromEntries(Object.keys(handlers).map(topic => [topic, topicMetrics()]));
	registerTopicMetrics(broker, group, figures);
	const callerOf = (requestID: string) => ({
		call: (action: string, params: object, options?: object) => broker.call(action, params, { ...options, requestID })
	});

	const run = (readable: Received<unknown>[], batch: Batch): Promise<Outcome> => {
		const { topic, partition, records } = batch;
		const handler = handlers[topic]!;
		const end = records.at(-1)!.offset + 1;
		if (typeof handler === "function") return runPerKey(readable, received => handler.call(service, received), batch, end);
		const handOver = (received: Received<unknown>[]) =>
			handler.batch.call(service, { ...batch, first: untold.has(`${topic}/${partition}`), received });
		return runBatch(readable, handOver, batch, end);
	};

	/** `others`: what was put back for another group, and was seen here when it first came. */
	const handle = async (batch: Batch, ours: Decoded[], others: Decoded[], account: Account): Promise<number> => {
		const { topic, partition, records, isCurrent } = batch;
		const place = `${topic}/${partition}`;
		const readable = ours.flatMap(one => ("received" in one ? [one.received] : []));
		logger.debug("consumed", { topic, partition, offset: records[0]!.offset, requestIDs: readable.map(one => one.requestID) });

		const outcome = await run(readable, batch);
		account.handled(outcome.handled, outcome.duplicates);
		if (readable.some(({ record }) => record.offset < outcome.next)) untold.delete(place);
		const isPassed = ({ record }: Decoded) => record.offset < outcome.next;
		const sent = await publishRejected(log, group, ours.filter(isPassed), outcome.refused, logger);
		account.dead(sent.dead);
		account.strays(sent.strays);
		account.notForUs(offsetsOf(others.filter(isPassed)));

		const { next, waitingFor } = outcome;
		if (waitingFor === undefined) waiting.delete(place);
		else {
			if (!waiting.has(place)) logger.warn(`${place} waits at ${next}: ${waitingFor}`);
			waiting.set(place, { waitingFor, isCurrent });
		}
		return next;
	};

	return {
		async handle(batch) {
			const { topic, partition, records, isCurrent } = batch;
			const place = `${topic}/${partition}`;
			if (batch.first) untold.add(place);
			const decoded = records.map(record => decode(record, contracts[topic]!, partitions, callerOf, () => broker.generateUid()));
			const ours = decoded.filter(({ record }) => !isForAnother(record, group));
			const others = decoded.filter(({ record }) => isForAnother(record, group));
			const account = figures[topic]!.take(batch, offsetsOf([...others, ...ours.filter(one => !("stray" in one))]));
			let next = records[0]!.offset;
			try {
				next = await handle(batch, ours, others, account);
				return next;
			} catch (error) {
				// Only the log itself can fail here: what must be laid aside could not be, so nothing moves.
				waiting.set(place, { waitingFor: isUnavailable(error) ? "the log is away" : (error as Error).message, isCurrent });
				throw error;
			} finally {
				account.close(next);
			}
		},

		trouble() {
			// What another owner waits for it says itself.
			for (const [place, { isCurrent }] of waiting) if (!isCurrent()) waiting.delete(place);
			return waiting.size === 0
				? undefined
				: `waiting: ${[...new Set([...waiting.values()].map(one => one.waitingFor))].join("; ")}`;
		}
	};
}
