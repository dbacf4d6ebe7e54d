import type { Server } from "node:http";
import { exitWithError } from "../exit-with-error.ts";

/**
 * Connections that wait to be taken while the process is busy. When a node dies, all its clients come to another within a second; whoever finds the
 * queue full, at Node's default of 511, is not refused but waits for the network to try again, after 1 s, 3 s, 7 s and so on. The system may allow
 * fewer: Linux does what net.core.somaxconn says.
 */
const BACKLOG = 4_096;

/** Listens, or ends the process with one line that says which address is taken and what to do: a node without its doors is of no use. */
export const listen = (server: Server, port: number, host: string, variable: string) =>
	new Promise<void>(resolve => {
		server.once("error", (error: NodeJS.ErrnoException) => {
			const why = error.code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened on (${error.code})`;
			exitWithError(`${host}:${port} ${why}: stop that one, or set ${variable}`);
		});
		server.listen({ port, host, backlog: BACKLOG }, resolve);
	});
