import type { Server } from "node:net";
import { throttledLog } from "../../mixins/throttled-log.ts";
import { exitWithError } from "../exit-with-error.ts";

/**
 * The length of the queue of connections that the process has not accepted yet. When a node dies, all its clients connect to another node within a
 * second. With a full queue (Node's default is 511) TCP drops their SYN packets, and they retry after 1 s, 3 s, 7 s and so on. Linux limits this
 * value to net.core.somaxconn.
 */
export const BACKLOG = 4_096;

/** Why the server cannot listen, and which variable to set. */
function describeProblem(code: string | undefined, host: string, port: number, variable: string): string {
	switch (code) {
		case "EADDRINUSE":
			return `${host}:${port} is in use by another process: stop that one, or set ${variable}`;
		case "EACCES":
			return `${host}:${port} needs the rights of the system's administrator (EACCES): set ${variable} to a port above 1023`;
		default:
			return `HOST=${host} is no address of this machine that can be listened on (${code}): set HOST to one, such as 127.0.0.1`;
	}
}

export type Warn = (line: string) => void;

/**
 * Without a listener for it, a connection that cannot be accepted, for example for lack of file descriptors, would end the process. Then thousands fail a
 * second, so the lines are throttled.
 */
export function warnOfErrors(server: Server, name: string, warn: Warn) {
	const errors = throttledLog({ info: warn });
	server.on("error", ({ message }) =>
		errors.log(`${name} could not accept a connection (${message}); it stays open for others`, {})
	);
	server.once("close", errors.flush);
}

/** Resolves when the server listens. If it cannot, ends the process with one line that says what to do. Errors after that are warnings. */
export const listen = (server: Server, port: number, host: string, variable: string, warn: Warn) =>
	new Promise<void>(resolve => {
		const onError = (error: NodeJS.ErrnoException) => exitWithError(describeProblem(error.code, host, port, variable));
		server.once("error", onError);
		server.listen({ port, host, backlog: BACKLOG }, () => {
			server.off("error", onError);
			warnOfErrors(server, variable, warn);
			resolve();
		});
	});
