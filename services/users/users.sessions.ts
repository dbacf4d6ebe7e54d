// A session: a sign-in opens it, refreshes continue it, and a sign-out or the use of an outdated refresh token ends it.
import { randomBytes } from "node:crypto";
import type { Logger } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { unauthorized, unavailableAs } from "../../mixins/errors.ts";
import type { User } from "./users.contract.ts";
import type { SignInLimits } from "./users.limits.ts";
import type { RevocationList } from "./users.revocation-list.ts";
import type { UserStore } from "./users.store.ts";
import { REFRESH_TTL_MS, type RefreshToken, type Tokens } from "./users.tokens.ts";

export interface SessionsOptions {
	store: Pick<UserStore, "openSession" | "rotate" | "revokeSession">;
	signer: Tokens;
	limits: Pick<SignInLimits, "takeRefresh">;
	revocations: Pick<RevocationList, "add">;
	logger: Pick<Logger, "info" | "warn">;
}

/** Of one account; every device and browser of a person needs one. */
const MAX_SESSIONS = 50;

/** A request's id, for the log. */
type RequestID = string | null | undefined;

/** Every function rejects with 503 `UNAVAILABLE` while Postgres is unavailable. */
export function sessions({ store, signer, limits, revocations, logger }: SessionsOptions) {
	const orUnavailable = unavailableAs("Postgres");

	const issueTokens = async (user: User, { session, generation }: RefreshToken, issuedAtMs: number) => {
		const { token, expiresAtMs } = await signer.signAccess({ id: user.id, role: user.role, session }, issuedAtMs);
		const refreshToken = await signer.signRefresh({ session, generation }, issuedAtMs);
		return { user, token, expiresAt: new Date(expiresAtMs).toISOString(), refreshToken };
	};

	/** The session that a sign-out ends: of the refresh token, or else of the caller's token. */
	const sessionToEnd = async (refreshToken: string | undefined, caller: Identity | undefined) => {
		if (!refreshToken) return caller?.session;
		const { session } = await signer.verifyRefresh(refreshToken).catch(error => (caller ? caller : Promise.reject(error)));
		return session;
	};

	return {
		/** Opens a session, and returns its first tokens. If the account has too many, the one that was not used for the longest time ends. */
		async start(user: User, address: string, requestID: RequestID) {
			const session = randomBytes(16).toString("base64url");
			const opened = { id: session, userID: user.id, address, expiresInMs: REFRESH_TTL_MS };
			const ended = await store.openSession(opened, MAX_SESSIONS).catch(orUnavailable);
			for (const session of ended) revocations.add(session);
			if (ended.length > 0)
				logger.info(`a sign-in ended the least recently used sessions: an account has at most ${MAX_SESSIONS}`, {
					user: user.id,
					sessions: ended.length,
					requestID
				});
			return issueTokens(user, { session, generation: 0 }, Date.now());
		},

		/** The next tokens. Rejects with 401 `UNAUTHORIZED` if the session is over, and with 429 `TOO_MANY_REQUESTS`. */
		async refresh(token: string | undefined, requestID: RequestID) {
			if (!token) throw unauthorized("Send the refresh token in its cookie or in the body");
			const refresh = await signer.verifyRefresh(token);
			await limits.takeRefresh(refresh.session);
			const rotation = await store.rotate(refresh, REFRESH_TTL_MS).catch(orUnavailable);
			if (rotation?.user) {
				const { user, generation, rotatedAt } = rotation;
				// Issued for the time of the rotation, so that a repeated refresh gets the same tokens, although no token is stored.
				return issueTokens(user, { ...refresh, generation }, rotatedAt.getTime());
			}
			revocations.add(refresh.session);
			if (rotation)
				logger.warn("an outdated refresh token was used: its session is revoked", { user: rotation.revokedUserID, requestID });
			throw unauthorized("This session is over: sign in again");
		},

		/** Revokes the session of either token; resolves to whether it was still active. Rejects like `refresh`. */
		async end(refreshToken: string | undefined, caller: Identity | undefined, requestID: RequestID) {
			const session = await sessionToEnd(refreshToken, caller);
			if (!session) throw unauthorized("Send the token or the refresh token of the session to end");
			await limits.takeRefresh(session);
			const user = await store.revokeSession(session).catch(orUnavailable);
			revocations.add(session);
			if (user !== undefined) logger.info("signed out", { user, requestID });
			return user !== undefined;
		}
	};
}
