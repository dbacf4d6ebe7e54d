// node-postgres sends a statement as up to five protocol messages; PGlite runs each of them in a call of its own, with the cost of entering Postgres.
import type { PGlite } from "@electric-sql/pglite";

type ProtocolSession = Pick<PGlite, "waitReady" | "execProtocolStream">;

/** Parse, Bind, Describe, Execute and Close: Postgres answers them at the latest at the message that follows them, a Sync or Flush. */
const HELD = new Set(Buffer.from("PBDEC"));

/** The same session, which gets a statement's messages in one call: a quarter less CPU time for a short statement. */
export function wholeStatements(pglite: ProtocolSession): ProtocolSession {
	let held: Uint8Array[] = [];
	return {
		waitReady: pglite.waitReady,
		async execProtocolStream(message, options) {
			held.push(message);
			if (HELD.has(message[0]!)) return [];
			const messages = held;
			held = [];
			return pglite.execProtocolStream(messages.length === 1 ? message : Buffer.concat(messages), options);
		}
	};
}
