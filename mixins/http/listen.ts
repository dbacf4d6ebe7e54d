import type { Server } from "node:http";
import { cannotStart } from "../cannot-start.ts";

/** Listens, or ends the process with one line that says which address is taken and what to do: a node without its doors is of no use. */
export const listen = (server: Server, port: number, host: string, variable: string) =>
	new Promise<void>(resolve => {
		server.once("error", (error: NodeJS.ErrnoException) => {
			const why = error.code === "EADDRINUSE" ? "is taken by another process" : `cannot be listened on (${error.code})`;
			cannotStart(`${host}:${port} ${why}: stop that one, or set ${variable}`);
		});
		server.listen(port, host, () => resolve());
	});
