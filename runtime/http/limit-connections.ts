import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { CloseIdle, Connections, Refusal } from "./connections.ts";
import { type HttpError, notReady, tooManyRequests } from "./http-error.ts";
import { rawResponse } from "./reject-upgrade.ts";

const ERRORS: Record<Refusal, HttpError> = {
	address: { ...tooManyRequests, message: "Too many connections, close some" },
	process: { ...notReady, message: "Too many connections, try again later" }
};

/** How long a refused connection stays open for the client to send its request and read the answer. */
const LINGER_MS = 1_000;
/** Refused connections that stay open at the same time; further ones are closed without an answer. */
const MAX_LINGERING = 128;

/**
 * Lets the server read only from connections that `connections` accepts, and counts them. The others get 429 (the limit of their address is reached) or 503
 * (the limit of the process) before anything is read from them. `closeIdle` closes an idle connection of this server, to make room for one of any server.
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
