/**
 * Why a server that is there does not serve us, where no waiting mends it: one of the two does not believe the other.
 *
 *     refusalOf(error)                // "certificate", "credentials" or undefined
 *     reasonOf(error)                 // "self-signed certificate in certificate chain"
 */

/** Node's codes for a certificate that it does not believe (nodejs.org/api/tls.html, "X509 certificate error codes"), and for one of another host. */
const CERTIFICATE =
	/^(CERT_|CRL_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|ERR_TLS_CERT_ALTNAME_INVALID)/;
/** SQLSTATE class 28: invalid authorization specification. */
const SQLSTATE = /^28...$/;
/** Redis's answers to a wrong password, to none, and to a user who may not. */
const REDIS = /^(WRONGPASS|NOAUTH|NOPERM) /;
/** Cassandra's code for bad credentials, in its native protocol. */
const BAD_CREDENTIALS = 0x0100;

/** What lies beneath an error: what drivers wrap once for every attempt, or collect from every host. */
function beneath(error: unknown): unknown {
	const { cause, errors, innerErrors } = error as { cause?: unknown; errors?: unknown[]; innerErrors?: Record<string, unknown> };
	return cause ?? errors?.[0] ?? Object.values(innerErrors ?? {})[0];
}

/** `certificate`: we do not believe who it says it is; `credentials`: it does not believe, or does not let in, who we say we are. */
export function connectErrorKind(error: unknown): "certificate" | "credentials" | undefined {
	if (!(error instanceof Error)) return undefined;
	const { code, name, message } = error as Error & { code?: unknown };
	if (typeof code === "string" && CERTIFICATE.test(code)) return "certificate";
	if (typeof code === "string" && SQLSTATE.test(code)) return "credentials";
	if (name === "KafkaJSSASLAuthenticationError" || name === "AuthenticationError" || REDIS.test(message)) return "credentials";
	if (name === "ResponseError" && code === BAD_CREDENTIALS) return "credentials";
	return connectErrorKind(beneath(error));
}

/** What went wrong first, in one line: some drivers put the stack into the message. */
export function reasonOf(error: unknown): string {
	const inner = beneath(error);
	if (inner instanceof Error) return reasonOf(inner);
	return (error as Error).message.split("\n", 1)[0] ?? "";
}
