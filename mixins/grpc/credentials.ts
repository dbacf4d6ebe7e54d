// Who may call, and over what.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { ServerCredentials, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder, status } from "@grpc/grpc-js";

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Lets calls in that carry `authorization: Bearer <token>`, and all calls to the services named as open; others get UNAUTHENTICATED.
 * Digests are compared, in constant time: neither the token's bytes nor its length show in how long a refusal takes.
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

const read = (variable: string, file: string) => {
	try {
		return readFileSync(file);
	} catch (error) {
		throw new Error(`${variable}=${file} cannot be read (${(error as NodeJS.ErrnoException).code}): give a PEM file`);
	}
};

/** TLS where both files are given, plain where neither is. Throws with one line that names the variable at fault. */
export function credentialsOf({ cert, key }: TlsFiles): ServerCredentials {
	if (!cert && !key) return ServerCredentials.createInsecure();
	if (!cert || !key)
		throw new Error(`${cert ? "GRPC_TLS_KEY" : "GRPC_TLS_CERT"} is missing: TLS needs GRPC_TLS_CERT and GRPC_TLS_KEY`);
	const pair = { cert_chain: read("GRPC_TLS_CERT", cert), private_key: read("GRPC_TLS_KEY", key) };
	try {
		// grpc-js would look at them only when it listens.
		createSecureContext({ cert: pair.cert_chain, key: pair.private_key });
		return ServerCredentials.createSsl(null, [pair]);
	} catch (error) {
		throw new Error(`GRPC_TLS_CERT=${cert} and GRPC_TLS_KEY=${key} do not work together (${(error as Error).message})`);
	}
}
