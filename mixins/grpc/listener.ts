// The port of a gRPC server. grpc-js cannot refuse a connection, so connections are accepted here, counted from their first byte, and passed on.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Service } from "moleculer";
import { waitAtMost } from "../deadline.ts";
import { openPerAddress } from "../limits/open-per-address.ts";
import { throttledLog } from "../throttled-log.ts";
import { type CallLimits, checkCalls } from "./check-calls.ts";
import type { OptionNames } from "./credentials.ts";

export interface ConnectionLimits extends CallLimits {
	/** Open connections of one address. Beyond it connections are closed at once. 0: no limit. Default: 1000. */
	maxConnectionsPerAddress?: number;
	/**
	 * Called with each connection that this limit allows, before TLS; it is closed if this returns false. For limits that other servers of the
	 * process share, such as a total below the process's limit of open files. Default: accepts all.
	 */
	acceptConnection?: (connection: Socket) => boolean;
}

export interface Listener {
	port: number;
	/** Accepts no more, lets running calls end and closes the other connections, at the latest after `graceMs`. */
	close(graceMs: number): Promise<void>;
}

interface Binding {
	host: string;
	port: number;
	credentials: ServerCredentials;
	/** The names of the options in errors. */
	names: Pick<OptionNames, "host" | "port">;
	/** The paths of methods with a stream of requests. */
	requestStreams: Set<string>;
}

const CLOSING_MS = 500;

/** Rejects with one line that names address and option when it cannot listen. */
export async function listen(
	server: Server,
	{ host, port, credentials, names, requestStreams }: Binding,
	{ maxConnectionsPerAddress = 1_000, acceptConnection = () => true, ...callLimits }: ConnectionLimits,
	{ logger }: Service
): Promise<Listener> {
	const { addressOf } = callLimits;
	const injector = server.createConnectionInjector(credentials);
	checkCalls(server, requestStreams, callLimits);
	const connections = new Set<Socket>();
	const perAddress = openPerAddress(maxConnectionsPerAddress);
	const accept = (connection: Socket) => {
		const address = addressOf(connection);
		if (address === undefined) return acceptConnection(connection);
		if (!perAddress.open(address)) return false;
		connection.once("close", () => perAddress.close(address));
		return acceptConnection(connection);
	};
	const listener = createServer({ noDelay: true }, connection => {
		if (!accept(connection)) return connection.destroy();
		connections.add(connection);
		connection.once("close", () => connections.delete(connection));
		injector.injectConnection(connection);
	});
	listener.listen(port, host);
	await once(listener, "listening").catch(({ code, message }: NodeJS.ErrnoException) => {
		const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
		const advice =
			code === "EADDRNOTAVAIL"
				? `set ${names.host} to an address of this machine`
				: `stop what listens there, or set ${names.port}`;
		throw new Error(`gRPC cannot listen on ${address} (${code ?? message}): ${advice}`);
	});
	// Without a listener for it, a connection that cannot be accepted, for example for lack of file descriptors, would end the process. Then thousands
	// fail a second, so the lines are throttled.
	const errors = throttledLog({ info: line => logger.warn(line) });
	listener.on("error", ({ message }) =>
		errors.log(`gRPC could not accept a connection (${message}); it stays open for others`, {})
	);
	listener.once("close", errors.flush);
	return {
		port: (listener.address() as AddressInfo).port,
		async close(graceMs) {
			const closed = new Promise(resolve => listener.close(resolve));
			injector.drain(graceMs);
			await waitAtMost(closed, graceMs + CLOSING_MS);
			// Connections that are still open have not finished their TLS handshake.
			for (const connection of connections) connection.destroy();
			injector.destroy();
		}
	};
}
