// A Socket.IO client that records all events.
import assert from "node:assert/strict";
import { openSocketIo } from "./client.socket-io.ts";
import { eventually, WAIT_MS } from "./client.ts";

export interface ReceivedEvent {
	event: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests assert on whatever the server sends
	payload: any;
}

export interface LiveClient {
	/** All events, in order of arrival. */
	events: ReceivedEvent[];
	/** The payloads of an event, optionally filtered. */
	of(event: string, accepts?: (payload: ReceivedEvent["payload"]) => boolean): ReceivedEvent["payload"][];
	/** Sends an event. Resolves to its acknowledgement. */
	emitWithAck(event: string, ...values: unknown[]): Promise<unknown>;
	/** Waits until the check passes. */
	until(check: () => void, what: string): Promise<void>;
	close(): void;
}

/** Connects with the token of an account, or as a guest without one. */
export async function openLive(url: string, token?: string): Promise<LiveClient> {
	const events: ReceivedEvent[] = [];
	const onEvent = (event: string, payload: unknown) => events.push({ event, payload });
	const { socket, outcome } = await openSocketIo(url, { auth: { token }, onEvent });
	if (outcome !== "connected") socket.disconnect();
	assert.equal(outcome, "connected");
	return {
		events,
		of: (event, accepts = () => true) =>
			events.filter(one => one.event === event && accepts(one.payload)).map(({ payload }) => payload),
		emitWithAck: (event, ...values) => socket.timeout(WAIT_MS).emitWithAck(event, ...values),
		until: (check, what) => eventually(check, `${what}; received: ${JSON.stringify(events.slice(-10))}`),
		close: () => void socket.disconnect()
	};
}
