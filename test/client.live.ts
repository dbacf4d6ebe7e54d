// A real Socket.IO client that remembers what it heard.
import assert from "node:assert/strict";
import { openSocketIo } from "./client.socket-io.ts";
import { eventually, WAIT_MS } from "./client.ts";

export interface Heard {
	event: string;
	// biome-ignore lint/suspicious/noExplicitAny: what the other side sends is what the tests are about
	payload: any;
}

export interface LiveClient {
	/** Everything that has come, in order. */
	heard: Heard[];
	/** What has come under this event's name and is accepted. */
	of(event: string, accepts?: (payload: Heard["payload"]) => boolean): Heard["payload"][];
	/** Sends an event and answers its acknowledgement. */
	ask(event: string, ...values: unknown[]): Promise<unknown>;
	/** Waits until the check passes. */
	until(check: () => void, what: string): Promise<void>;
	close(): void;
}

/** Connects; without a token as a guest. */
export async function openLive(url: string, token?: string): Promise<LiveClient> {
	const heard: Heard[] = [];
	const onEvent = (event: string, payload: unknown) => heard.push({ event, payload });
	const { socket, outcome } = await openSocketIo(url, { auth: { token }, onEvent });
	if (outcome !== "connected") socket.disconnect();
	assert.equal(outcome, "connected");
	return {
		heard,
		of: (event, accepts = () => true) =>
			heard.filter(one => one.event === event && accepts(one.payload)).map(({ payload }) => payload),
		ask: (event, ...values) => socket.timeout(WAIT_MS).emitWithAck(event, ...values),
		until: (check, what) => eventually(check, `${what}; heard: ${JSON.stringify(heard.slice(-10))}`),
		close: () => void socket.disconnect()
	};
}
