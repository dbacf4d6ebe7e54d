import { randomBytes, randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { conflict, invalid, notFound, unauthorized, unavailableAs } from "../../mixins/errors.ts";
import type { Limits } from "../../mixins/limits/limits.ts";
import { periodicTask } from "../../mixins/periodic-task.ts";
import { defineService } from "../define-service.ts";
import type { Role, User } from "./users.contract.ts";
import { attempts } from "./users.limits.ts";
import { turns } from "./users.password-limiter.ts";
import { hashPassword, isPassword } from "./users.passwords.ts";
import { revokedSessions } from "./users.revocation-list.ts";
import { emailOf, faultOfPassword } from "./users.rules.ts";
import type { UserStore } from "./users.store.ts";
import { ACCESS_TTL_MS, REFRESH_TTL_MS, type Refresh, type Tokens, tokens } from "./users.tokens.ts";

const SWEEP_EVERY_MS = 60 * 60_000;
const SWEPT_AT_ONCE = 1_000;
/** For the time between the decision to give a token out and the moment it is signed, and for clocks that differ. */
const REVOKED_FOR_MS = ACCESS_TTL_MS + 60_000;
/** What no gateway has brought, as from the prompt, comes from here. */
const INSIDE = "inside";

const orAway = async <T>(work: Promise<T>): Promise<T> => work.catch(unavailableAs("Postgres"));

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
const inTurn = turns();

/** Accounts: who people are, and how they show it. */
export function users(store: UserStore, { secret, limits, mixins = [], sweeps = false }: UsersOptions) {
	const revoked = revokedSessions(() => store.revokedWithin(REVOKED_FOR_MS));
	const attempt = attempts(limits);
	const newUserID = () => `acct_${randomUUID().replaceAll("-", "")}`;

	const create = async (account: { email: string; password: string; name: string; role: Role }) => {
		const { name, role, password } = account;
		const email = emailOf(account.email);
		if (!email) throw invalid([{ field: "email", message: "must be an e-mail address" }]);
		const fault = faultOfPassword(password, { name, email });
		if (fault) throw invalid([fault]);
		const passwordHash = await inTurn(() => hashPassword(password));
		const user = await orAway(store.add({ id: newUserID(), email, name, role, passwordHash }));
		if (!user) throw conflict("This address has an account already", { field: "email" });
		return user;
	};

	// From the start of the service on.
	let signing: Tokens;
	let sweeping: ReturnType<typeof periodicTask> | undefined;

	const signIn = async (user: User, { session, generation }: Refresh) => {
		const { token, expiresAtMs } = await signing.access({ id: user.id, role: user.role, session });
		const refreshToken = await signing.refresh({ session, generation });
		return { user, token, expiresAt: new Date(expiresAtMs).toISOString(), refreshToken };
	};

	const openSession = async (user: User, address: string) => {
		const session = randomBytes(16).toString("base64url");
		await orAway(store.open({ id: session, userID: user.id, address, expiresInMs: REFRESH_TTL_MS }));
		return signIn(user, { session, generation: 0 });
	};

	/** The session that a refresh token ends, or else the caller's. */
	const sessionOf = async (refreshToken: string | undefined, caller: Identity | undefined) => {
		if (!refreshToken) return caller?.session;
		const { session } = await signing.whichOf(refreshToken).catch(error => (caller ? caller : Promise.reject(error)));
		return session;
	};

	const sweep = async () => {
		while ((await store.sweep(SWEPT_AT_ONCE)) === SWEPT_AT_ONCE);
	};

	return defineService({
		name: "users",
		mixins,

		actions: {
			async register(ctx) {
				const { address = INSIDE } = ctx.meta;
				await attempt.work(address);
				const user = await create({ ...ctx.params, role: "user" });
				this.logger.info("registered", { user: user.id, requestID: ctx.requestID });
				return openSession(user, address);
			},

			async login(ctx) {
				const { password } = ctx.params;
				const { address = INSIDE } = ctx.meta;
				const email = emailOf(ctx.params.email);
				await attempt.work(address);
				// Looked up and counted in turn too: of many tries at once only those under way do not know yet how the others ended.
				return inTurn(async () => {
					const found = email === undefined ? undefined : await orAway(store.byEmail(email, address));
					await attempt.signIn({ address, email: email ?? ctx.params.email, lastHere: found?.lastHere });
					const isRight = await isPassword(password, found?.passwordHash);
					if (!found || !isRight) throw unauthorized("Wrong e-mail address or password");
					return openSession(found.user, address);
				});
			},

			async refresh(ctx) {
				if (!ctx.params.refreshToken) throw unauthorized("Send the refresh token, by its cookie or in the body");
				const refresh = await signing.whichOf(ctx.params.refreshToken);
				const turned = await orAway(store.turn(refresh, REFRESH_TTL_MS));
				if (turned) return signIn(turned.user, { ...refresh, generation: turned.generation });
				revoked.add(refresh.session);
				this.logger.warn("a refresh token that does not count any more was used: its session is over", {
					session: refresh.session,
					requestID: ctx.requestID
				});
				throw unauthorized("This session is over: sign in again");
			},

			async logout(ctx) {
				const session = await sessionOf(ctx.params.refreshToken, ctx.meta.caller);
				if (!session) throw unauthorized("Send the token or the refresh token of the session to end");
				const ended = await orAway(store.revoke(session));
				revoked.add(session);
				return { ended };
			},

			async me(ctx) {
				const { caller } = ctx.meta;
				const user = caller && (await orAway(store.byID(caller.id)));
				if (!user) throw unauthorized("This account is gone");
				return { user };
			},

			async authenticate(ctx) {
				const identity = await signing.whoHas(ctx.params.token);
				if (await revoked.has(identity.session)) throw unauthorized("This session is over: sign in again");
				return identity;
			},

			async revoked(ctx) {
				const are = await Promise.all(ctx.params.sessions.map(session => revoked.has(session)));
				return ctx.params.sessions.filter((_, n) => are[n]);
			},

			async find(ctx) {
				const email = emailOf(ctx.params.email);
				const found = email && (await orAway(store.byEmail(email, INSIDE)));
				if (!found) throw notFound("There is no such account");
				return { user: found.user };
			},

			async create(ctx) {
				const { email, name = email.slice(0, email.lastIndexOf("@")) } = ctx.params;
				return { user: await create({ ...ctx.params, name }) };
			}
		},

		async started() {
			signing = tokens(await secret());
			if (sweeps) sweeping = periodicTask(sweep, { everyMs: SWEEP_EVERY_MS, logger: this.logger, what: "old sessions" });
		},

		stopped() {
			return sweeping?.stop();
		}
	});
}
