import { setTimeout as delay } from "node:timers/promises";
import type { ConsumeOptions, Consumer } from "../topic-log.ts";
import { type Connection, failureOf, type Log } from "./connection.ts";
import { openSession, type Session } from "./consumer.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;
const TROUBLE_AFTER_MS = 5_000;

/** A member of a group for as long as it is wanted: whatever ends a session, another one takes over. */
export function consumerSupervisor(options: ConsumeOptions, open: () => Connection, logger?: Log): Consumer {
	const { group } = options;
	const stopping = new AbortController();
	const busy = new Map<string, Promise<void>>();
	const leftBehind = new Set<string>();
	let session: Session | undefined;
	let heardAtMs = Date.now();
	let pauseMs = FIRST_PAUSE_MS;
	let reason: string | undefined;

	const heard = () => {
		if (reason) logger?.info(`group ${group} goes on`);
		reason = undefined;
		heardAtMs = Date.now();
		pauseMs = FIRST_PAUSE_MS;
	};
	const lost = (why: string) => {
		if (!reason) logger?.warn(`group ${group} stands still (${why}); it goes on by itself`);
		reason = why;
	};

	const live = async () => {
		while (!stopping.signal.aborted) {
			const connection = open();
			session = openSession({ ...options, connection, busy, leftBehind, heard, lost, logger });
			const error = await session.ended;
			if (stopping.signal.aborted) return;
			lost(failureOf(connection, error).message);
			// A session that ended before it was under way cannot be stopped in good order.
			await session.stop().catch(() => {});
			await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
			pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
		}
	};
	const living = live();

	return {
		problem() {
			const silentMs = Date.now() - heardAtMs;
			if (silentMs < TROUBLE_AFTER_MS) return undefined;
			return `group ${group} has had no assignment for ${Math.round(silentMs / 1000)} s${reason ? `: ${reason}` : ""}`;
		},
		lag: () => session?.lag() ?? {},
		async stop() {
			stopping.abort();
			await session?.stop();
			await living;
		}
	};
}
