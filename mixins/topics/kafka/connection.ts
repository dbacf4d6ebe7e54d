// How the log reaches Kafka: kafkajs with the retries that suit it, on sockets that can be cut.
import { isIP, connect as openSocket, type Socket } from "node:net";
import { connect as openTls } from "node:tls";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import RequestQueue from "kafkajs/src/network/requestQueue/index.js";
import { connectErrorKind } from "../../connect-error.ts";
import { unavailable } from "../../errors.ts";

export interface KafkaOptions {
	/** `host:port` of some of the servers; the others are found through them. */
	brokers: string[];
	/** How this process is named in Kafka's own logs and figures. */
	clientId: string;
	/**
	 * Speaks TLS, and believes certificates for the server's own name alone, from authorities that Node believes (NODE_EXTRA_CA_CERTS adds some).
	 * Default: plain text.
	 */
	tls?: boolean;
	/** What Kafka lets this process in with. `plain` hands the password over as it is: give it over TLS alone. Default: nothing. */
	sasl?: KafkaCredentials;
	logger?: Log;
}

export interface KafkaCredentials {
	mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
	username: string;
	password: string;
}

export interface Log {
	debug(...parts: unknown[]): void;
	info(...parts: unknown[]): void;
	warn(...parts: unknown[]): void;
}

export interface Connection {
	kafka: Kafka;
	/** Why no server can be reached, as of the last attempt; undefined while one is. */
	problem(): Error | undefined;
	/**
	 * Ends everything that uses this connection, at once and for good. kafkajs alone cannot promise that: its `disconnect` waits for answers
	 * that may never come, and a consumer left behind would rejoin its group and hold partitions that nobody handles.
	 */
	cut(): void;
}

/**
 * After its first answer kafkajs 2.2.4 looks every millisecond, on each connection and for ever, whether a request that was held back may go: with twenty
 * connections that is an eighth of a processor for nothing (kafkajs#1704, not mended since). Here it looks while there is one; who holds one back asks again.
 */
const { scheduleCheckPendingRequests } = RequestQueue.prototype;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: typeof RequestQueue.prototype) {
	if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
};

const CONNECT_TIMEOUT_MS = 2_000;
/** Its length and the request's number. A server that speaks TLS answers plain text with a shorter alert. */
const SMALLEST_ANSWER_BYTES = 8;
// Longer than any rebalance, in which Kafka answers late by design.
const REQUEST_TIMEOUT_MS = 8_000;
// Tried again four times a second until the connection is cut: a Kafka that is back is used at once. Who waits has a limit of its own.
const RETRY = { initialRetryTime: 50, maxRetryTime: 250, multiplier: 2, factor: 0.2, retries: Number.MAX_SAFE_INTEGER };

/** Opens nothing yet: kafkajs connects when it is first used. */
export function kafkaConnection({ brokers, clientId, tls = false, sasl, logger }: KafkaOptions): Connection {
	const sockets = new Set<Socket>();
	let isCut = false;
	let problem: Error | undefined;

	const kafka = new Kafka({
		// Without any broker to try, kafkajs gives up for good; nothing else makes it.
		brokers: () => (isCut ? [] : brokers),
		clientId,
		ssl: tls,
		sasl: sasl as SASLOptions | undefined,
		connectionTimeout: CONNECT_TIMEOUT_MS,
		requestTimeout: REQUEST_TIMEOUT_MS,
		retry: RETRY,
		logLevel: logLevel.WARN,
		// kafkajs says each failed attempt as an error; what a person needs to know is said once by who waits.
		logCreator:
			() =>
			({ namespace, log }) =>
				logger?.debug(`kafkajs ${namespace}: ${log.message}`),
		socketFactory: ({ host, port, ssl, onConnect }) => {
			if (isCut) throw new Error("this connection was cut");
			const way = { host, port, noDelay: true, keepAlive: true };
			// Said to a server that has certificates for several names; an address is not a name.
			const servername = isIP(host) ? undefined : host;
			const socket = ssl ? openTls({ ...way, servername, rejectUnauthorized: true }, onConnect) : openSocket(way, onConnect);
			sockets.add(socket);
			socket.on("data", () => {
				if (socket.bytesRead >= SMALLEST_ANSWER_BYTES) problem = undefined;
			});
			socket.once("error", error => {
				problem = error;
			});
			socket.once("end", () => {
				if (socket.bytesRead < SMALLEST_ANSWER_BYTES)
					problem = new Error(`it closed the connection${ssl ? "" : ": it may want TLS"}`);
			});
			socket.once("close", () => sockets.delete(socket));
			return socket;
		}
	});

	return {
		kafka,
		problem: () => problem,
		cut() {
			isCut = true;
			// With an error: kafkajs rejects what waits for an answer only when the socket ends or fails, not when it merely closes.
			for (const socket of sockets) socket.destroy(new Error("this connection was cut"));
		}
	};
}

/** The promise's answer, or `UNAVAILABLE` if it is not there in time; the promise itself goes on. */
export function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(unavailable(what, new Error(`no answer within ${timeoutMs} ms`))), timeoutMs);
		promise.then(resolve, reject).finally(() => clearTimeout(timer));
	});
}

/** What went wrong first: kafkajs wraps an error once for every retry. */
export const rootCause = (error: unknown): Error & { type?: string } => {
	const { cause } = error as Error;
	return cause instanceof Error ? rootCause(cause) : (error as Error);
};

/** Why Kafka does not answer. */
export function failureOf({ problem }: Connection, error: unknown): Error {
	const cause = rootCause(error);
	if (connectErrorKind(cause)) return cause;
	// When no server answers, kafkajs sometimes reads its answer from null.
	return problem() ?? (cause instanceof TypeError ? new Error("no server answered") : cause);
}
