// What happens to the records of one service's topics: read, handed to their handler, given up only into a dead letter, and only then left behind.
import type { Service } from "moleculer";
import { isAway } from "../errors.ts";
import { deadLetter } from "./dead-letter.ts";
import { type Decoded, decode } from "./decode.ts";
import { handleBatch, handleLanes, type Outcome } from "./handle.ts";
import type { HandleBatch, HandleOne } from "./received.ts";
import type { Batch, BatchHandler, Outgoing, TopicLog, TopicRecord } from "./topic-log.ts";
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

const TOO_LARGE = "RECORD_TOO_LARGE";
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

	/** What is put on another topic, or elsewhere on this one, in place of being handled. */
	const asideOf = (one: Decoded, refused: Outcome["refused"]): { record: TopicRecord; outgoing: Outgoing }[] => {
		const { record } = one;
		if ("stray" in one) return [{ record, outgoing: one.stray }];
		const dead = "dead" in one ? one.dead : refused.get(record.offset);
		return dead ? [{ record, outgoing: deadLetter(record, group, dead) }] : [];
	};

	/** One record, and if it is too large for where it is to go, what is left of it: nothing may stand in its partition's way for ever. */
	const sendWhatFits = async ({ record, outgoing }: { record: TopicRecord; outgoing: Outgoing }) => {
		const tooLarge = { type: TOO_LARGE, message: `${record.value?.length} bytes are more than a topic takes` };
		for (const attempt of [
			outgoing,
			deadLetter(record, group, tooLarge),
			deadLetter({ ...record, value: null }, group, tooLarge)
		]) {
			try {
				return await log.append([attempt]);
			} catch (error) {
				if ((error as { type?: string }).type !== TOO_LARGE) throw error;
			}
		}
	};

	/** Dead letters and strays leave in the order they came, acknowledged before the offset moves past them. */
	const sendAside = async (passed: Decoded[], refused: Outcome["refused"]) => {
		const aside = passed.flatMap(one => asideOf(one, refused));
		if (aside.length === 0) return;
		try {
			await log.append(aside.map(({ outgoing }) => outgoing));
		} catch (error) {
			if ((error as { type?: string }).type !== TOO_LARGE) throw error;
			for (const one of aside) await sendWhatFits(one);
		}
		for (const { record, outgoing } of aside)
			if (outgoing.topic !== record.topic)
				logger.warn(
					`${record.topic}/${record.partition}/${record.offset} lies in its dead letters: ${outgoing.headers?.["dead-reason"]}`
				);
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
