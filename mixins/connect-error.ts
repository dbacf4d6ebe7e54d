/**
 * Recognizes errors that retrying does not repair: the server answers, but its certificate is not trusted, or it refuses the credentials.
 *
 *     connectErrorKind(error)         // "certificate", "credentials" or undefined
 *     reasonOf(error)                 // "self-signed certificate in certificate chain"
 */

/** Node's codes for an untrusted certificate (nodejs.org/api/tls.html, "X509 certificate error codes"), and for one of another host. */
const CERTIFICATE =
	/^(CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_INVALID)/;
/** SQLSTATE class 28: invalid authorization specification. */
const SQLSTATE = /^28...$/;
/** Redis: a wrong password, a missing password, a user without permission. */
const REDIS = /^(WRONGPASS|NOAUTH|NOPERM) /;
/** Cassandra's code for bad credentials, in its native protocol. */
const BAD_CREDENTIALS = 0x0100;

/** The error that another one wraps: drivers wrap once for every attempt, or collect one for every host. */
function innerError(error: unknown): unknown {
	const { cause, errors, innerErrors } = error as { cause?: unknown; errors?: unknown[]; innerErrors?: Record<string, unknown> };
	return cause ?? errors?.[0] ?? Object.values(innerErrors ?? {})[0];
}

/** `certificate`: the server's certificate is not trusted; `credentials`: the server refuses our credentials. */
export function connectErrorKind(error: unknown): "certificate" | "credentials" | undefined {
	if (!(error instanceof Error)) return undefined;
	const { code, name, message } = error as Error & { code?: unknown };
	if (typeof code === "string" && CERTIFICATE.test(code)) return "certificate";
	if (typeof code === "string" && SQLSTATE.test(code)) return "credentials";
	if (name === "KafkaJSSASLAuthenticationError" || name === "AuthenticationError" || REDIS.test(message)) return "credentials";
	if (name === "ResponseError" && code === BAD_CREDENTIALS) return "credentials";
	return connectErrorKind(innerError(error));
}

/** The message of the innermost error, in one line: some drivers put the stack into the message. */
export function reasonOf(error: unknown): string {
	const inner = innerError(error);
	if (inner instanceof Error) return reasonOf(inner);
	return (error as Error).message.split("\n", 1)[0] ?? "";
}
