// Further ports of the HTTP server, for clients that are configured with separate ports for the page, the gateway, Socket.IO or health.
import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { BACKLOG, type Warn, warnOfErrors } from "./listen.ts";

/**
 * Listens on these ports too and passes their connections to the HTTP server, which closes them when it stops. A port that cannot be listened on is
 * a warning. Resolves to the servers that listen.
 */
export async function listenOnExtraPorts(
	server: HttpServer,
	ports: readonly number[],
	host: string,
	warn: Warn
): Promise<Server[]> {
	const open = async (port: number) => {
		// The options that Node's HTTP server sets on its own connections.
		const extra = createServer({ allowHalfOpen: true, noDelay: true }, socket => server.emit("connection", socket));
		try {
			await once(extra.listen({ port, host, backlog: BACKLOG }), "listening");
			warnOfErrors(extra, `EXTRA_HTTP_PORTS: ${host}:${port}`, warn);
			return [extra];
		} catch (error) {
			const { code } = error as NodeJS.ErrnoException;
			const why = code === "EADDRINUSE" ? "is in use" : `cannot be listened on (${code})`;
			warn(`EXTRA_HTTP_PORTS: ${host}:${port} ${why}; continuing without it`);
			return [];
		}
	};
	return (await Promise.all(ports.map(open))).flat();
}
