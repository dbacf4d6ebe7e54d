// A real Socket.IO client that says how its connection went.
import { io, type Socket } from "socket.io-client";
import { WAIT_MS } from "./client.ts";
import { within } from "./process.ts";

export interface SocketIoOptions {
	transports?: ("polling" | "websocket")[];
	origin?: string;
	auth?: object | ((say: (auth: object) => void) => void);
	reconnection?: boolean;
	/** Called with every event, from the first on. */
	onEvent?: (event: string, payload: unknown) => void;
}

/** What came of it: `connected`; the `message` of the `connect_error` where the server gave one; or `refused`, where it did not get so far. */
export type Outcome = string;

export interface SocketIoClient {
	socket: Socket;
	outcome: Outcome;
	/** What the server sent with its refusal. */
	refusal: unknown;
}

/** Opens a connection of its own and waits for what comes of it. Whoever opens it disconnects it. */
export async function openSocketIo(url: string, options: SocketIoOptions = {}) {
	const { transports, origin, auth, reconnection = false, onEvent } = options;
	const extraHeaders = origin === undefined ? undefined : { origin };
	const upgrade = transports === undefined;
	const socket = io(url, { transports, upgrade, extraHeaders, auth, reconnection, forceNew: true });
	if (onEvent) socket.onAny(onEvent);
	const outcome = new Promise<SocketIoClient>(resolve => {
		socket.once("connect", () => resolve({ socket, outcome: "connected", refusal: undefined }));
		socket.once("connect_error", (error: Error & { data?: unknown }) =>
			resolve({ socket, outcome: error.data === undefined ? "refused" : error.message, refusal: error.data })
		);
	});
	return within(outcome, WAIT_MS, () => "an answer to a Socket.IO client");
}
