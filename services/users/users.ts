import { randomBytes, randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { conflict, invalid, notFound, unauthorized, unavailableAs } from "../../mixins/errors.ts";
import type { Limits } from "../../mixins/limits/limits.ts";
import { periodicTask } from "../../mixins/periodic-task.ts";
import { defineService } from "../define-service.ts";
import type { Role, User } from "./users.contract.ts";
import { signInLimits } from "./users.limits.ts";
import { passwordLimiter } from "./users.password-limiter.ts";
import { hashPassword, verifyPassword } from "./users.passwords.ts";
import { revocationList } from "./users.revocation-list.ts";
import { normaliseEmail, passwordError } from "./users.rules.ts";
import type { UserStore } from "./users.store.ts";
import { ACCESS_TTL_MS, REFRESH_TTL_MS, type RefreshToken, type Tokens, tokens } from "./users.tokens.ts";

const SWEEP_EVERY_MS = 60 * 60_000;
const SWEPT_AT_ONCE = 1_000;
/** For the time between the decision to give a token out and the moment it is signed, and for clocks that differ. */
const REVOKED_FOR_MS = ACCESS_TTL_MS + 60_000;
/** What no gateway has brought, as from the prompt, comes from here. */
const NO_ADDRESS = "inside";

const orUnavailable = async <T>(work: Promise<T>): Promise<T> => work.catch(unavailableAs("Postgres"));

export interface UsersOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Asked for once, when the service has started. */
	secret: () => Promise<string> | string;
	/** What counts the tries of those who sign in, for all nodes together. */
	limits: Limits;
	/** Whether this node forgets old sessions. */
	sweeps?: boolean;
}

/** All that compute passwords, whoever asks. */
const limitPasswords = passwordLimiter();

/** Accounts: who people are, and how they show it. */
export function users(store: UserStore, { secret, limits, mixins = [], sweeps = false }: UsersOptions) {
	const revocations = revocationList(() => store.sessionsRevokedWithin(REVOKED_FOR_MS));
	const signIns = signInLimits(limits);
	const newUserID = () => `acct_${randomUUID().replaceAll("-", "")}`;

	const create = async (account: { email: string; password: string; name: string; role: Role }) => {
		const { name, role, password } = account;
		const email = normaliseEmail(account.email);
		if (!email) throw invalid([{ field: "email", message: "must be an e-mail address" }]);
		const fault = passwordError(password, { name, email });
		if (fault) throw invalid([fault]);
		const passwordHash = await limitPasswords(() => hashPassword(password));
		const user = await orUnavailable(store.add({ id: newUserID(), email, name, role, passwordHash }));
		if (!user) throw conflict("This address has an account already", { field: "email" });
		return user;
	};

	// From the start of the service on.
	let signer: Tokens;
	let sweeper: ReturnType<typeof periodicTask> | undefined;

	const issueTokens = async (user: User, { session, generation }: RefreshToken) => {
		const { token, expiresAtMs } = await signer.signAccess({ id: user.id, role: user.role, session });
		const refreshToken = await signer.signRefresh({ session, generation });
		return { user, token, expiresAt: new Date(expiresAtMs).toISOString(), refreshToken };
	};

	const startSession = async (user: User, address: string) => {
		const session = randomBytes(16).toString("base64url");
		await orUnavailable(store.openSession({ id: session, userID: user.id, address, expiresInMs: REFRESH_TTL_MS }));
		return issueTokens(user, { session, generation: 0 });
	};

	/** The session that a refresh token ends, or else the caller's. */
	const sessionToEnd = async (refreshToken: string | undefined, caller: Identity | undefined) => {
		if (!refreshToken) return caller?.session;
		const { session } = await signer.verifyRefresh(refreshToken).catch(error => (caller ? caller : Promise.reject(error)));
		return session;
	};

	const sweep = async () => {
		while ((await store.deleteExpired(SWEPT_AT_ONCE)) === SWEPT_AT_ONCE);
	};

	return defineService({
		name: "users",
		mixins,

		actions: {
			async register(ctx) {
				const { address = NO_ADDRESS } = ctx.meta;
				await signIns.takeHash(address);
				const user = await create({ ...ctx.params, role: "user" });
				this.logger.info("registered", { user: user.id, requestID: ctx.requestID });
				return startSession(user, address);
			},

			async login(ctx) {
				const { password } = ctx.params;
				const { address = NO_ADDRESS } = ctx.meta;
				const email = normaliseEmail(ctx.params.email);
				await signIns.takeHash(address);
				// Looked up and counted in turn too: of many tries at once only those under way do not know yet how the others ended.
				return limitPasswords(async () => {
					const found = email === undefined ? undefined : await orUnavailable(store.byEmail(email, address));
					await signIns.takeSignIn({ address, email: email ?? ctx.params.email, lastSession: found?.lastSession });
					const isRight = await verifyPassword(password, found?.passwordHash);
					if (!found || !isRight) throw unauthorized("Wrong e-mail address or password");
					return startSession(found.user, address);
				});
			},

			async refresh(ctx) {
				if (!ctx.params.refreshToken) throw unauthorized("Send the refresh token, by its cookie or in the body");
				const refresh = await signer.verifyRefresh(ctx.params.refreshToken);
				const turned = await orUnavailable(store.rotate(refresh, REFRESH_TTL_MS));
				if (turned) return issueTokens(turned.user, { ...refresh, generation: turned.generation });
				revocations.add(refresh.session);
				this.logger.warn("a refresh token that does not count any more was used: its session is over", {
					session: refresh.session,
					requestID: ctx.requestID
				});
				throw unauthorized("This session is over: sign in again");
			},

			async logout(ctx) {
				const session = await sessionToEnd(ctx.params.refreshToken, ctx.meta.caller);
				if (!session) throw unauthorized("Send the token or the refresh token of the session to end");
				const ended = await orUnavailable(store.revokeSession(session));
				revocations.add(session);
				return { ended };
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
				return { user: await create({ ...ctx.params, name }) };
			}
		},

		async started() {
			signer = tokens(await secret());
			if (sweeps) sweeper = periodicTask(sweep, { everyMs: SWEEP_EVERY_MS, logger: this.logger, what: "deleting old sessions" });
		},

		stopped() {
			return sweeper?.stop();
		}
	});
}
