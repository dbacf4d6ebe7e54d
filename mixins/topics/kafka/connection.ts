// How the log connects to Kafka: kafkajs with suitable retries, on sockets that can be destroyed.
import { isIP, connect as openSocket, type Socket } from "node:net";
import { connect as openTls } from "node:tls";
import { Kafka, logLevel, type SASLOptions } from "kafkajs";
import { connectErrorKind } from "../../connect-error.ts";
import { correctRequestQueues } from "./request-queue.ts";

export interface KafkaOptions {
	/** `host:port` of some of the servers; the others are discovered. */
	brokers: string[];
	/** The name of this process in Kafka's own logs and metrics. */
	clientId: string;
	/**
	 * Connects by TLS. The certificate must be for the server's host name, from an authority that Node trusts (NODE_EXTRA_CA_CERTS adds some).
	 * Default: plain text.
	 */
	tls?: boolean;
	/** Credentials. `plain` sends the password as it is: use it over TLS only. Default: none. */
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
	/** Why no server could be reached at the last attempt; undefined while one is. */
	problem(): Error | undefined;
	/**
	 * Ends everything that uses this connection, at once and for good. kafkajs alone cannot: its `disconnect` waits for responses that may never
	 * come, and a consumer that still runs would rejoin its group and hold partitions that no handler serves.
	 */
	cut(): void;
}

const CONNECT_TIMEOUT_MS = 2_000;
/** The length and the number of a request. A TLS server answers plain text with a shorter alert. */
const SMALLEST_RESPONSE_BYTES = 8;
// Longer than any rebalance, during which Kafka responds late by design.
const REQUEST_TIMEOUT_MS = 8_000;
// Retries until the connection is cut, so that a Kafka that is back is used at once. Callers have timeouts of their own.
const RETRY = { initialRetryTime: 50, maxRetryTime: 250, multiplier: 2, factor: 0.2, retries: Number.MAX_SAFE_INTEGER };

/** Connects lazily: kafkajs opens sockets at its first request. */
export function kafkaConnection({ brokers, clientId, tls = false, sasl, logger }: KafkaOptions): Connection {
	const sockets = new Set<Socket>();
	let isCut = false;
	let problem: Error | undefined;

	const kafka = new Kafka({
		// kafkajs stops retrying only when there is no broker to try.
		brokers: () => (isCut ? [] : brokers),
		clientId,
		ssl: tls,
		sasl: sasl as SASLOptions | undefined,
		connectionTimeout: CONNECT_TIMEOUT_MS,
		requestTimeout: REQUEST_TIMEOUT_MS,
		retry: RETRY,
		logLevel: logLevel.WARN,
		// kafkajs logs each failed attempt as an error; the caller that waits logs one line for the operator.
		logCreator:
			() =>
			({ namespace, log }) =>
				logger?.debug(`kafkajs ${namespace}: ${log.message}`),
		socketFactory: ({ host, port, ssl, onConnect }) => {
			if (isCut) throw new Error("this connection was cut");
			const options = { host, port, noDelay: true, keepAlive: true };
			// For servers with certificates for several names; an IP address is not a name.
			const servername = isIP(host) ? undefined : host;
			const socket = ssl
				? openTls({ ...options, servername, rejectUnauthorized: true }, onConnect)
				: openSocket(options, onConnect);
			sockets.add(socket);
			socket.on("data", () => {
				if (socket.bytesRead >= SMALLEST_RESPONSE_BYTES) problem = undefined;
			});
			socket.once("error", error => {
				problem = error;
			});
			socket.once("end", () => {
				if (socket.bytesRead < SMALLEST_RESPONSE_BYTES)
					problem = new Error(`it closed the connection${ssl ? "" : ": it may want TLS"}`);
			});
			socket.once("close", () => sockets.delete(socket));
			// kafkajs calls `unref` again after each failed reconnect, and each time Node would add a listener to the closed socket.
			const unref = socket.unref.bind(socket);
			socket.unref = () => (socket.destroyed ? socket : unref());
			return socket;
		}
	});
	correctRequestQueues(kafka);

	return {
		kafka,
		problem: () => problem,
		cut() {
			isCut = true;
			// With an error: kafkajs rejects pending requests only when the socket ends or fails, not when it merely closes.
			for (const socket of sockets) socket.destroy(new Error("this connection was cut"));
		}
	};
}

/** The first error: kafkajs wraps it once for every retry. */
export const rootCause = (error: unknown): Error & { type?: string } => {
	const { cause } = error as Error;
	return cause instanceof Error ? rootCause(cause) : (error as Error);
};

/** Why Kafka does not answer. */
export function failureOf({ problem }: Connection, error: unknown): Error {
	const cause = rootCause(error);
	if (connectErrorKind(cause)) return cause;
	// When no server answers, kafkajs sometimes fails with a TypeError because its response is null.
	return problem() ?? (cause instanceof TypeError ? new Error("no server answered") : cause);
}
