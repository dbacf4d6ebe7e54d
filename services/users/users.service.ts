import { randomBytes, randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import { config } from "../../config.ts";
import { defineService } from "../../define.ts";
import { database } from "../../mixins/database/database.ts";
import { conflict, invalid, isAway, unauthorized, unavailable } from "../../mixins/errors.ts";
import { embedded, postgres, works } from "../../profile.ts";
import { Email, type Role, type User } from "./users.contract.ts";
import { hashPassword, isPassword } from "./users.passwords.ts";
import { revokedSessions } from "./users.revoked.ts";
import { faultOfPassword, normaliseEmail } from "./users.rules.ts";
import { secretInFile, secretInTable } from "./users.secret.ts";
import { sqlUsers, type UserStore } from "./users.store.ts";
import { ACCESS_TTL_MS, REFRESH_TTL_MS, type Refresh, type Tokens, tokens } from "./users.tokens.ts";

const SWEEP_EVERY_MS = 60 * 60_000;

const orAway = async <T>(work: Promise<T>): Promise<T> =>
	work.catch(error => Promise.reject(isAway(error) ? unavailable("Postgres", error) : error));

export interface UsersOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Asked for once, when the service has started. */
	secret: () => Promise<string> | string;
	/** Whether this node forgets old sessions. */
	sweeps?: boolean;
}

/** Accounts: who people are, and how they show it. */
export function users(store: UserStore, { secret, mixins = [], sweeps = false }: UsersOptions) {
	const revoked = revokedSessions(() => store.revokedWithin(ACCESS_TTL_MS));
	const newUserID = () => `acct_${randomUUID().replaceAll("-", "")}`;

	const create = async (account: { email: string; password: string; name: string; role: Role }) => {
		const email = normaliseEmail(account.email);
		const fault = faultOfPassword(account.password, { ...account, email });
		if (fault) throw invalid([fault]);
		const passwordHash = await hashPassword(account.password);
		const user = await orAway(store.add({ id: newUserID(), email, name: account.name, role: account.role, passwordHash }));
		if (!user) throw conflict("This address has an account already", { field: "email" });
		return user;
	};

	// From the start of the service on.
	let signing: Tokens;
	let sweeping: NodeJS.Timeout | undefined;

	const signIn = async (user: User, { session, generation }: Refresh) => {
		const { token, expiresAtMs } = await signing.access({ id: user.id, role: user.role, session });
		const refreshToken = await signing.refresh({ session, generation });
		return { user, token, expiresAt: new Date(expiresAtMs).toISOString(), refreshToken };
	};

	const openSession = async (user: User) => {
		const session = randomBytes(16).toString("base64url");
		await orAway(store.open({ id: session, userID: user.id, expiresInMs: REFRESH_TTL_MS }));
		return signIn(user, { session, generation: 0 });
	};

	return defineService({
		name: "users",
		mixins,

		actions: {
			async register(ctx) {
				const user = await create({ ...ctx.params, role: "user" });
				this.logger.info("registered", { user: user.id, requestID: ctx.requestID });
				return openSession(user);
			},

			async login(ctx) {
				const { email, password } = ctx.params;
				const address = Email.safeParse(email);
				const found = address.success ? await orAway(store.byEmail(normaliseEmail(address.data))) : undefined;
				if (!(await isPassword(password, found?.passwordHash)) || !found) throw unauthorized("Wrong e-mail address or password");
				return openSession(found.user);
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
				const { refreshToken } = ctx.params;
				const session = refreshToken ? (await signing.whichOf(refreshToken)).session : ctx.meta.caller?.session;
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

			async create(ctx) {
				const { email, name = email.slice(0, email.indexOf("@")).slice(0, 64) } = ctx.params;
				return { user: await create({ ...ctx.params, name }) };
			}
		},

		async started() {
			signing = tokens(await secret());
			const sweep = () => store.sweep().catch(error => this.logger.warn(`old sessions stay for now (${error.message})`));
			if (sweeps) sweeping = setInterval(sweep, SWEEP_EVERY_MS).unref();
		},

		stopped() {
			clearInterval(sweeping);
		}
	});
}

const secret = () => config.jwtSecret ?? (embedded ? secretInFile(config.dataDir) : secretInTable(postgres().knex));

export default users(sqlUsers(postgres().knex), {
	secret,
	mixins: [database(postgres(), new URL("./migrations/", import.meta.url))],
	sweeps: works("users")
});
