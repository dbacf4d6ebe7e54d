// node-postgres sends a statement as up to five protocol messages; PGlite runs each of them in a call of its own, with the cost of entering Postgres.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { PGlite } from "@electric-sql/pglite";

type ProtocolSession = Pick<PGlite, "waitReady" | "execProtocolStream">;

/** Parse, Bind, Describe, Execute and Close: Postgres answers them at the latest at the message that follows them, a Sync or Flush. */
const HELD = new Set(Buffer.from("PBDEC"));

/**
 * PGlite answers in the same turn of the event loop, so while one statement follows another nothing else would run: no request would be read, no timer
 * would fire. Once the statements of a turn have taken this time, the next one waits.
 */
const MAX_BUSY_MS = 20;
/** It waits for so many turns, because Node accepts one new connection in each. */
const PAUSE_TURNS = 16;

/** Runs statements, with a pause between them once they have kept the event loop busy for `MAX_BUSY_MS`. */
function withPauses() {
	/** Of the statements of this turn; undefined before the first. */
	let busyMs: number | undefined;
	const startTurn = () => {
		busyMs = undefined;
	};

	return async <T>(statement: () => Promise<T>): Promise<T> => {
		if (busyMs !== undefined && busyMs > MAX_BUSY_MS) for (let turn = 0; turn < PAUSE_TURNS; turn++) await nextTurn();
		if (busyMs === undefined) {
			busyMs = 0;
			setImmediate(startTurn);
		}
		const startMs = performance.now();
		try {
			return await statement();
		} finally {
			if (busyMs !== undefined) busyMs += performance.now() - startMs;
		}
	};
}

/** The same session, which gets a statement's messages in one call: a quarter less CPU time for a short statement. */
export function wholeStatements(pglite: ProtocolSession): ProtocolSession {
	let held: Uint8Array[] = [];
	const run = withPauses();
	return {
		waitReady: pglite.waitReady,
		async execProtocolStream(message, options) {
			held.push(message);
			if (HELD.has(message[0]!)) return [];
			const messages = held;
			held = [];
			return run(() => pglite.execProtocolStream(messages.length === 1 ? message : Buffer.concat(messages), options));
		}
	};
}
