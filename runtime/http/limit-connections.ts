import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { CloseIdle, Connections, Refusal } from "./connections.ts";
import { type HttpError, notReady, tooManyRequests } from "./http-error.ts";
import { rawResponse } from "./reject-upgrade.ts";

const ERRORS: Record<Refusal, HttpError> = {
	address: { ...tooManyRequests, message: "Too many connections, close some" },
	process: { ...notReady, message: "Too many connections, try again later" }
};

/** How long a refused connection waits for its client's request. */
const LINGER_MS = 1_000;
/** Refused connections that may wait for their clients at the same time; further ones are closed without an answer. */
const MAX_LINGERING = 128;

/**
 * Lets the server read only from connections that `connections` accepts, and counts them. The others get 429 (too many of their address) or 503 (too many
 * of all) before anything is read from them. `closeIdle` makes room on this server for a connection of any server of the process.
 */
export function limitConnections(server: Server, connections: Connections, closeIdle: CloseIdle) {
	server.once("close", connections.addIdle(closeIdle));
	let lingering = 0;
	const refuse = (socket: Socket, refusal: Refusal) => {
		if (lingering >= MAX_LINGERING) return socket.destroy();
		lingering++;
		const close = () => socket.destroy();
		// Closed with its request still unread, TCP would reset the connection, and the client could lose the answer.
		socket.once("data", close).once("end", close).on("error", close).setTimeout(LINGER_MS, close);
		socket.once("close", () => lingering--);
		socket.end(rawResponse(ERRORS[refusal]));
	};

	// The server's own listener attaches the HTTP parser, so it may only see the accepted connections.
	const listeners = server.listeners("connection") as ((socket: Socket) => void)[];
	server.removeAllListeners("connection");
	server.on("connection", (socket: Socket) => {
		const refusal = connections.accept(socket);
		if (refusal) return refuse(socket, refusal);
		for (const listener of listeners) listener.call(server, socket);
	});
}
