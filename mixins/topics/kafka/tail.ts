// Reads topics from their end without a group.
import { createBackoff } from "../../backoff.ts";
import { waitAtMost } from "../../deadline.ts";
import { lagByTopic } from "../lag.ts";
import type { Tail, TailOptions } from "../topic-log.ts";
import type { kafkaAdmin } from "./admin.ts";
import { type Connection, failureOf, type Log } from "./connection.ts";
import { type Fetcher, startFetching } from "./fetcher.ts";
import { PartitionQueue } from "./partition-queue.ts";
import { keyOf, type Place } from "./reader.ts";

const MAX_RECORDS = 500;
const PROBLEM_AFTER_MS = 5_000;
const HANDLERS_TIMEOUT_MS = 5_000;
const BACKOFF = { firstMs: 100, longestMs: 1_000 };

/** A partition that is read: its offset is the one that is fetched next. */
interface Followed extends Place {
	queue: PartitionQueue;
}

/** What a reader uses of the log. */
export interface TailPorts extends Pick<ReturnType<typeof kafkaAdmin>, "request"> {
	open(): Connection;
	logger?: Log;
}

/** See `TopicLog.tail`. */
export function kafkaTail(options: TailOptions, { open, request, logger }: TailPorts): Tail {
	const { name, topics, handler, onMissed, maxRecords = MAX_RECORDS } = options;
	const stopping = new AbortController();
	const { signal } = stopping;
	const positioned = Promise.withResolvers<void>();
	const followed = new Map<string, Followed>();
	let isPositioned = false;
	let fetcher: Fetcher | undefined;
	let failure: { sinceMs: number; reason: string } | undefined;
	let isFailureLogged = false;

	const follow = (topic: string, partition: number, offset: number): Followed => {
		const queue = new PartitionQueue(offset, offset, {
			topic,
			partition,
			handler,
			maxRecords,
			ended: signal,
			isMember: () => true,
			previous: Promise.resolve(),
			onHandled() {},
			onFull: isFull => fetcher?.setPaused(topic, partition, isFull),
			onError: error => logger?.warn(`reader "${name}": the handler of ${keyOf(topic, partition)} failed`, error)
		});
		const place = { topic, partition, offset, queue };
		followed.set(keyOf(topic, partition), place);
		return place;
	};

	/** New partitions are read from their end; so are those that do not have the next record any more, or have fewer records than were read. */
	const position = async () => {
		for (const topic of topics) {
			signal.throwIfAborted();
			let isMissed = false;
			const offsets = await request(admin => admin.fetchTopicOffsets(topic));
			for (const [key, place] of followed)
				if (place.topic === topic && !offsets.some(({ partition }) => partition === place.partition)) followed.delete(key);
			for (const { partition, low, high } of offsets) {
				const [start, end] = [Number(low), Number(high)];
				const place = followed.get(keyOf(topic, partition)) ?? follow(topic, partition, end);
				if (place.offset >= start && place.offset <= end) continue;
				place.offset = end;
				isMissed = true;
			}
			if (!isMissed) continue;
			logger?.warn(
				`reader "${name}": topic ${topic} was created again, or its records were deleted before they were read; continuing at its end`
			);
			onMissed(topic);
		}
	};

	const currentFailure = () => {
		if (isPositioned && !fetcher?.isFailing()) failure = undefined;
		return failure;
	};
	const onFailure = ({ message }: Error) => {
		if (signal.aborted) return;
		const known = currentFailure();
		if (!known) {
			isFailureLogged = true;
			logger?.warn(`reader "${name}" cannot read ${topics.join(", ")} (${message}); retrying`);
		}
		failure = { sinceMs: known?.sinceMs ?? performance.now(), reason: message };
	};
	const onServed = () => {
		if (isFailureLogged) logger?.info(`reader "${name}" continues`);
		isFailureLogged = false;
	};

	/** Fetches until an offset does not exist any more, or the reader stops. */
	const fetchUntilGone = () =>
		new Promise<void>(resolve => {
			const gone = new AbortController();
			gone.signal.addEventListener("abort", () => resolve());
			signal.addEventListener("abort", () => gone.abort(), { once: true });
			fetcher = startFetching({
				open,
				places: [...followed.values()].map(({ topic, partition, offset }) => ({ topic, partition, offset })),
				onRecords(topic, partition, messages, end) {
					const place = followed.get(keyOf(topic, partition))!;
					place.offset = Number(messages.at(-1)!.offset) + 1;
					place.queue.push(messages, end);
				},
				onError(error, connection) {
					if (error.type === "OFFSET_OUT_OF_RANGE") gone.abort();
					else onFailure(failureOf(connection, error));
				},
				onServed,
				signal: gone.signal
			});
			for (const { topic, partition, queue } of followed.values()) if (queue.isFull) fetcher.setPaused(topic, partition, true);
		});

	const read = async () => {
		const backoff = createBackoff(BACKOFF);
		while (!signal.aborted) {
			try {
				await position();
				isPositioned = true;
				positioned.resolve();
				backoff.reset();
				if (!signal.aborted) await fetchUntilGone();
			} catch (error) {
				onFailure(error as Error);
			}
			await backoff.pause(signal);
		}
	};
	void read();

	return {
		positioned: positioned.promise,
		problem() {
			const known = currentFailure();
			if (!isPositioned) return `reader "${name}" does not know the ends of its topics yet${known ? `: ${known.reason}` : ""}`;
			const failingMs = known ? performance.now() - known.sinceMs : 0;
			if (failingMs < PROBLEM_AFTER_MS) return undefined;
			return `reader "${name}" has not read for ${Math.round(failingMs / 1000)} s: ${known!.reason}`;
		},
		lag: () => lagByTopic([...followed.values()].map(({ queue }) => queue)),
		async stop() {
			stopping.abort();
			await waitAtMost(Promise.all([...followed.values()].map(({ queue }) => queue.idle)), HANDLERS_TIMEOUT_MS);
		}
	};
}
