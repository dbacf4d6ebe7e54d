import { createBackoff } from "../../backoff.ts";
import type { ConsumeOptions, Consumer } from "../topic-log.ts";
import { type Connection, failureOf, type Log } from "./connection.ts";
import { type RunningConsumer, startConsumer } from "./consumer.ts";

const BACKOFF = { firstMs: 100, longestMs: 1_000 };
const PROBLEM_AFTER_MS = 5_000;

/** A member of a consumer group until it is stopped: a kafkajs consumer that fails is replaced by a new one. */
export function consumerSupervisor(options: ConsumeOptions, open: () => Connection, logger?: Log): Consumer {
	const { group } = options;
	const stopping = new AbortController();
	const backoff = createBackoff(BACKOFF);
	const runningBatches = new Map<string, Promise<void>>();
	const staleMembers = new Set<string>();
	let consumer: RunningConsumer | undefined;
	let aliveAtMs = Date.now();
	let isPositioned = false;
	let reason: string | undefined;

	const onAlive = () => {
		if (reason) logger?.info(`consumer group ${group} continues`);
		reason = undefined;
		aliveAtMs = Date.now();
		backoff.reset();
	};
	const onPositioned = () => {
		isPositioned = true;
	};
	const onUnavailable = (why: string) => {
		if (!reason) logger?.warn(`consumer group ${group} cannot consume (${why}); retrying`);
		reason = why;
	};

	const supervise = async () => {
		while (!stopping.signal.aborted) {
			const connection = open();
			const callbacks = { onAlive, onPositioned, onUnavailable };
			consumer = startConsumer({ ...options, ...callbacks, connection, open, runningBatches, staleMembers, logger });
			const error = await consumer.ended;
			if (stopping.signal.aborted) return;
			onUnavailable(failureOf(connection, error).message);
			// A consumer that failed before it ran may fail to stop, too.
			await consumer.stop().catch(() => {});
			await backoff.pause(stopping.signal);
		}
	};
	const supervising = supervise();

	return {
		problem() {
			const silentMs = Date.now() - aliveAtMs;
			// Before the first assignment nothing is consumed: that is a problem from the start on.
			if (isPositioned && silentMs < PROBLEM_AFTER_MS) return undefined;
			return `group ${group} has had no assignment for ${Math.round(silentMs / 1000)} s${reason ? `: ${reason}` : ""}`;
		},
		lag: () => consumer?.lag() ?? {},
		async stop() {
			stopping.abort();
			await consumer?.stop();
			await supervising;
		}
	};
}
