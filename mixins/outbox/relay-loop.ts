import type { Logger } from "moleculer";
import { createBackoff } from "../backoff.ts";
import { waitAtMost } from "../deadline.ts";
import { REQUEST_ID } from "../topics/headers.ts";
import type { TopicLog } from "../topics/topic-log.ts";
import { APPEND_TIMEOUT_MS, type Lease } from "./lease.ts";
import type { Outbox, PendingMessage } from "./outbox.ts";
import { type Sleep, sharedSleepOf } from "./shared-sleep.ts";

/** The pause between two polls for commits of other processes: `least` after one that found a message, then doubled up to `most`. */
export interface PollMs {
	least: number;
	most: number;
}

export type AppendLog = Pick<TopicLog, "append">;
type Lines = Pick<Logger, "debug" | "info" | "warn">;

const MAX_MESSAGES = 1_000;
/** Kafka accepts a batch of one partition only if it is smaller than the largest record it accepts, by default 1 MiB. */
const MAX_BYTES = 512 * 1024;
const STANDBY_PAUSE_MS = 1_000;
/** The longest time that published messages stay in the table. The poll for the next commit usually deletes them earlier, in the same statement. */
const LINGER_MS = 250;
const BACKOFF = { firstMs: 100, longestMs: 5_000 };

/** The messages that fit into one append: the first, and those after it until it is full. */
export function fill(waiting: PendingMessage[], maxBytes = MAX_BYTES): PendingMessage[] {
	let bytes = 0;
	const end = waiting.findIndex(({ record: { key, value } }, index) => {
		bytes += Buffer.byteLength(key ?? "") + Buffer.byteLength(value);
		return index > 0 && bytes > maxBytes;
	});
	return end === -1 ? waiting : waiting.slice(0, end);
}

/** `more`: published, and there are more to publish. `standby`: another node holds the lease. */
type Outcome = "more" | "published" | "nothing" | "standby";

/** What one relay remembers between its polls. */
interface Progress {
	/** Ids that are published and still in the table; the next poll deletes them. */
	sent: Set<string>;
	/** How many messages the next poll reads. */
	limit: number;
}

/**
 * Publishes the oldest messages once. What was read under one fence is published under the same one or not at all: after a change of owner
 * another node may have published it already.
 */
async function poll(outbox: Outbox, log: AppendLog, lease: Lease, logger: Lines, progress: Progress): Promise<Outcome> {
	const { sent, limit } = progress;
	const fence = await lease.acquire();
	if (fence === undefined && sent.size === 0) return "standby";
	const oldest = await outbox.next(fence === undefined ? 0 : limit, [...sent]);
	const waiting = fill(oldest);
	// Messages that do not fit into the append are read again: many large ones must not be read again and again.
	progress.limit = waiting.length < oldest.length ? 2 * waiting.length : MAX_MESSAGES;
	sent.clear();
	if (fence === undefined || (await lease.acquire()) !== fence) return "standby";
	if (waiting.length === 0) return "nothing";
	await log.append(waiting.map(({ record }) => record));
	for (const { id, record } of waiting) {
		sent.add(id);
		logger.debug("published", { topic: record.topic, key: record.key, requestID: record.headers?.[REQUEST_ID] });
	}
	return waiting.length < oldest.length || oldest.length === limit ? "more" : "published";
}

/** Polls until stopped: at once after each commit of this process, and periodically for the commits of others, together with the other relays. */
export function startRelay(outbox: Outbox, log: AppendLog, lease: Lease, logger: Lines, { least, most }: PollMs) {
	const backoff = createBackoff(BACKOFF);
	const sleep = sharedSleepOf(outbox.knex);
	const sent = new Set<string>();
	const progress: Progress = { sent, limit: MAX_MESSAGES };
	let stopping = false;
	let committed = false;
	let wakesOnCommit = false;
	let failing = false;
	let sleeping: Sleep | undefined;
	let othersPauseMs = least;

	const unsubscribe = outbox.onCommit(() => {
		committed = true;
		if (wakesOnCommit) sleeping?.end();
	});

	const pauseAfter = (outcome: Outcome, wasWoken: boolean) => {
		if (failing) logger.info(`${outbox.table}: publishing again`);
		failing = false;
		backoff.reset();
		// A node without the lease cannot publish what was just committed here.
		wakesOnCommit = outcome !== "standby";
		if (outcome === "standby") return STANDBY_PAUSE_MS;
		// What this process commits says nothing about the others.
		if (!wasWoken) othersPauseMs = outcome === "nothing" ? Math.min(othersPauseMs * 2, most) : least;
		if (outcome === "more" || committed) return 0;
		return sent.size > 0 ? Math.min(othersPauseMs, LINGER_MS) : othersPauseMs;
	};
	const pauseAfterFailure = ({ message }: Error) => {
		if (!failing) logger.warn(`${outbox.table}: messages cannot be published (${message}); retrying until they are`);
		failing = true;
		wakesOnCommit = false;
		return backoff.nextMs();
	};

	const run = async () => {
		while (!stopping) {
			const wasWoken = committed;
			committed = false;
			let pauseMs: number;
			try {
				pauseMs = pauseAfter(await poll(outbox, log, lease, logger, progress), wasWoken);
			} catch (error) {
				pauseMs = pauseAfterFailure(error as Error);
			}
			if (pauseMs > 0 && !stopping) {
				sleeping = sleep(pauseMs);
				await sleeping.ended;
			}
		}
		if (sent.size > 0) await outbox.next(0, [...sent]).catch(() => {});
		await lease.release().catch(() => {});
	};

	const running = run();
	return {
		/** Waits for an append that has started. */
		async stop() {
			stopping = true;
			unsubscribe();
			sleeping?.end();
			await waitAtMost(running, APPEND_TIMEOUT_MS);
		}
	};
}
