// A Socket.IO client that reports the outcome of its connection attempt.
import { io, type Socket } from "socket.io-client";
import { WAIT_MS } from "./client.ts";
import { within } from "./process.ts";

export interface SocketIoOptions {
	transports?: ("polling" | "websocket")[];
	origin?: string;
	headers?: Record<string, string>;
	auth?: object | ((say: (auth: object) => void) => void);
	reconnection?: boolean;
	/** Called with every event. */
	onEvent?: (event: string, payload: unknown) => void;
}

/** `connected`; or the `message` of the server's `connect_error`; or `refused` if no Socket.IO response was received. */
export type Outcome = string;

export interface SocketIoClient {
	socket: Socket;
	outcome: Outcome;
	/** The `data` of the server's `connect_error`. */
	errorData: unknown;
}

/** Opens a new connection and waits for the outcome. The caller must disconnect it. */
export async function openSocketIo(url: string, options: SocketIoOptions = {}) {
	const { transports, origin, headers, auth, reconnection = false, onEvent } = options;
	const extraHeaders = origin === undefined ? headers : { ...headers, origin };
	const upgrade = transports === undefined;
	const socket = io(url, { transports, upgrade, extraHeaders, auth, reconnection, forceNew: true });
	if (onEvent) socket.onAny(onEvent);
	const outcome = new Promise<SocketIoClient>(resolve => {
		socket.once("connect", () => resolve({ socket, outcome: "connected", errorData: undefined }));
		socket.once("connect_error", (error: Error & { data?: unknown }) =>
			resolve({ socket, outcome: error.data === undefined ? "refused" : error.message, errorData: error.data })
		);
	});
	return within(outcome, WAIT_MS, () => "the server's answer to a Socket.IO connection");
}
