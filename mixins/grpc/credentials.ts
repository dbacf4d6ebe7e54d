// TLS and the bearer token of a gRPC server.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { ServerCredentials, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder, status } from "@grpc/grpc-js";

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Requires `authorization: Bearer <token>` on calls to all services but the open ones; others get UNAUTHENTICATED.
 * Compares digests in constant time: how long a refusal takes reveals neither the token's bytes nor its length.
 */
export function bearer(token: string, open: string[]): ServerInterceptor {
	const expected = digest(`Bearer ${token}`);
	const openPaths = open.map(service => `/${service}/`);
	return ({ path }, call) => {
		if (openPaths.some(prefix => path.startsWith(prefix))) return new ServerInterceptingCall(call);
		const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, pass) => {
			const [given] = metadata.get("authorization");
			if (given !== undefined && timingSafeEqual(digest(String(given)), expected)) pass(metadata);
			else call.sendStatus({ code: status.UNAUTHENTICATED, details: "Needs authorization: Bearer <token>" });
		});
		return new ServerInterceptingCall(call, { start: next => next(listener.build()) });
	};
}

export interface TlsFiles {
	/** PEM files. */
	cert?: string;
	key?: string;
}

/** What the operator calls these options, for error messages. */
export interface OptionNames {
	host: string;
	port: string;
	cert: string;
	key: string;
}

const read = (option: string, file: string) => {
	try {
		return readFileSync(file);
	} catch (error) {
		throw new Error(`${option}=${file} cannot be read (${(error as NodeJS.ErrnoException).code}): give a PEM file`);
	}
};

/** TLS if both files are given, plain if neither is. Throws with one line that names the wrong option. */
export function credentialsOf({ cert, key }: TlsFiles, names: OptionNames): ServerCredentials {
	if (!cert && !key) return ServerCredentials.createInsecure();
	if (!cert || !key) throw new Error(`${cert ? names.key : names.cert} is missing: TLS needs ${names.cert} and ${names.key}`);
	const pair = { cert_chain: read(names.cert, cert), private_key: read(names.key, key) };
	try {
		// grpc-js would check them only when it listens.
		createSecureContext({ cert: pair.cert_chain, key: pair.private_key });
		return ServerCredentials.createSsl(null, [pair]);
	} catch (error) {
		throw new Error(`${names.cert}=${cert} and ${names.key}=${key} do not work together (${(error as Error).message})`);
	}
}
