import type { Server } from "node:http";
import { exitWithError } from "../exit-with-error.ts";

/**
 * The length of the queue of connections that the process has not accepted yet. When a node dies, all its clients connect to another node within a
 * second. With a full queue (Node's default is 511) TCP drops their SYN packets, and they retry after 1 s, 3 s, 7 s and so on. Linux limits this
 * value to net.core.somaxconn.
 */
export const BACKLOG = 4_096;

/** Resolves when the server listens. If the address is in use, ends the process with one line that says what to do. */
export const listen = (server: Server, port: number, host: string, variable: string) =>
	new Promise<void>(resolve => {
		server.once("error", (error: NodeJS.ErrnoException) => {
			const why = error.code === "EADDRINUSE" ? "is in use by another process" : `cannot be listened on (${error.code})`;
			exitWithError(`${host}:${port} ${why}: stop that one, or set ${variable}`);
		});
		server.listen({ port, host, backlog: BACKLOG }, resolve);
	});
