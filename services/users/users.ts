import { randomBytes } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { notFound, unauthorized, unavailableAs } from "../../mixins/errors.ts";
import type { Limits } from "../../mixins/limits/limits.ts";
import { periodicTask } from "../../mixins/periodic-task.ts";
import { type ThrottledLog, throttledLog } from "../../runtime/throttled-log.ts";
import { defineService } from "../define-service.ts";
import { createAccount } from "./users.accounts.ts";
import type { User } from "./users.contract.ts";
import { credentials } from "./users.credentials.ts";
import { signInLimits } from "./users.limits.ts";
import { revocationList } from "./users.revocation-list.ts";
import { normaliseEmail } from "./users.rules.ts";
import type { UserStore } from "./users.store.ts";
import { ACCESS_TTL_MS, REFRESH_TTL_MS, type RefreshToken, type Tokens, tokens } from "./users.tokens.ts";

const SWEEP_EVERY_MS = 60 * 60_000;
const SWEEP_BATCH = 1_000;
/** Longer than a token lives: a minute for clock skew, and for the time between the decision to issue a token and its signature. */
const REVOKED_FOR_MS = ACCESS_TTL_MS + 60_000;
/** Stands for the client address of calls that do not come through a gateway, such as from the REPL. */
const NO_ADDRESS = "inside";

const orUnavailable = async <T>(work: Promise<T>): Promise<T> => work.catch(unavailableAs("Postgres"));

export interface UsersOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Signs the tokens; called once, when the service starts. */
	secret: () => Promise<string> | string;
	/** Counts sign-in attempts, over all nodes. */
	limits: Limits;
	/** Whether this node deletes expired sessions. */
	sweeps?: boolean;
}

/** Accounts, sessions and tokens. */
export function users(store: UserStore, { secret, limits, mixins = [], sweeps = false }: UsersOptions) {
	const revocations = revocationList(() => store.sessionsRevokedWithin(REVOKED_FOR_MS));
	const signIns = signInLimits(limits);
	const passwords = credentials(store, signIns, (...event) => events.log(...event));

	// Set when the service is created.
	let events: ThrottledLog;
	// Set when the service starts.
	let signer: Tokens;
	let sweeper: ReturnType<typeof periodicTask> | undefined;

	const issueTokens = async (user: User, { session, generation }: RefreshToken, issuedAtMs: number) => {
		const { token, expiresAtMs } = await signer.signAccess({ id: user.id, role: user.role, session }, issuedAtMs);
		const refreshToken = await signer.signRefresh({ session, generation }, issuedAtMs);
		return { user, token, expiresAt: new Date(expiresAtMs).toISOString(), refreshToken };
	};

	const startSession = async (user: User, address: string) => {
		const session = randomBytes(16).toString("base64url");
		await orUnavailable(store.openSession({ id: session, userID: user.id, address, expiresInMs: REFRESH_TTL_MS }));
		return issueTokens(user, { session, generation: 0 }, Date.now());
	};

	/** The session that logout ends: of the refresh token, or else of the caller's token. */
	const sessionToEnd = async (refreshToken: string | undefined, caller: Identity | undefined) => {
		if (!refreshToken) return caller?.session;
		const { session } = await signer.verifyRefresh(refreshToken).catch(error => (caller ? caller : Promise.reject(error)));
		return session;
	};

	const sweep = async () => {
		while ((await store.deleteExpired(SWEEP_BATCH)) === SWEEP_BATCH);
	};

	return defineService({
		name: "users",
		mixins,

		actions: {
			async register(ctx) {
				const { address = NO_ADDRESS } = ctx.meta;
				const user = await createAccount(store, passwords, { ...ctx.params, role: "user", address });
				this.logger.info("registered", { user: user.id, requestID: ctx.requestID });
				return startSession(user, address);
			},

			async login(ctx) {
				const { address = NO_ADDRESS } = ctx.meta;
				return passwords.signIn(ctx.params, address, user => {
					this.logger.info("signed in", { user: user.id, requestID: ctx.requestID });
					return startSession(user, address);
				});
			},

			async refresh(ctx) {
				if (!ctx.params.refreshToken) throw unauthorized("Send the refresh token in its cookie or in the body");
				const refresh = await signer.verifyRefresh(ctx.params.refreshToken);
				await signIns.takeRefresh(refresh.session);
				const rotation = await orUnavailable(store.rotate(refresh, REFRESH_TTL_MS));
				// From the time of the rotation, so that a repeated refresh gets the same tokens without their being stored.
				if (rotation?.user) {
					const { user, generation, rotatedAt } = rotation;
					return issueTokens(user, { ...refresh, generation }, rotatedAt.getTime());
				}
				revocations.add(refresh.session);
				if (rotation)
					this.logger.warn("an outdated refresh token was used: its session is revoked", {
						user: rotation.revokedUserID,
						requestID: ctx.requestID
					});
				throw unauthorized("This session is over: sign in again");
			},

			async logout(ctx) {
				const session = await sessionToEnd(ctx.params.refreshToken, ctx.meta.caller);
				if (!session) throw unauthorized("Send the token or the refresh token of the session to end");
				await signIns.takeRefresh(session);
				const user = await orUnavailable(store.revokeSession(session));
				revocations.add(session);
				if (user !== undefined) this.logger.info("signed out", { user, requestID: ctx.requestID });
				return { ended: user !== undefined };
			},

			async me(ctx) {
				const { caller } = ctx.meta;
				const user = caller && (await orUnavailable(store.byID(caller.id)));
				if (!user) throw unauthorized("This account is gone");
				return { user };
			},

			async authenticate(ctx) {
				const identity = await signer.verifyAccess(ctx.params.token);
				if (await revocations.has(identity.session)) throw unauthorized("This session is over: sign in again");
				return identity;
			},

			async revoked(ctx) {
				const are = await Promise.all(ctx.params.sessions.map(session => revocations.has(session)));
				return ctx.params.sessions.filter((_, n) => are[n]);
			},

			async find(ctx) {
				const email = normaliseEmail(ctx.params.email);
				const found = email && (await orUnavailable(store.byEmail(email, NO_ADDRESS)));
				if (!found) throw notFound("There is no such account");
				return { user: found.user };
			},

			async create(ctx) {
				const { email, name = email.slice(0, email.lastIndexOf("@")) } = ctx.params;
				const user = await createAccount(store, passwords, { ...ctx.params, name });
				this.logger.info("the operator created an account", { user: user.id, role: user.role, requestID: ctx.requestID });
				return { user };
			}
		},

		created() {
			events = throttledLog(this.logger);
		},

		async started() {
			signer = tokens(await secret());
			if (sweeps) sweeper = periodicTask(sweep, { everyMs: SWEEP_EVERY_MS, logger: this.logger, what: "deleting old sessions" });
		},

		stopped() {
			events.flush();
			return sweeper?.stop();
		}
	});
}
