import type { ServiceSchema } from "moleculer";
import { notFound, unauthorized, unavailableAs } from "../../mixins/errors.ts";
import type { Limits } from "../../mixins/limits/limits.ts";
import { periodicTask } from "../../mixins/periodic-task.ts";
import { type ThrottledLog, throttledLog } from "../../mixins/throttled-log.ts";
import { defineService } from "../define-service.ts";
import { createAccount } from "./users.accounts.ts";
import { credentials } from "./users.credentials.ts";
import { signInLimits } from "./users.limits.ts";
import { revocationList } from "./users.revocation-list.ts";
import { normaliseEmail } from "./users.rules.ts";
import { sessions } from "./users.sessions.ts";
import type { UserStore } from "./users.store.ts";
import { ACCESS_TTL_MS, type Tokens, tokens } from "./users.tokens.ts";

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
	let session: ReturnType<typeof sessions>;
	let sweeper: ReturnType<typeof periodicTask> | undefined;

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
				return session.start(user, address, ctx.requestID);
			},

			async login(ctx) {
				const { address = NO_ADDRESS } = ctx.meta;
				const signedIn = await passwords.signIn(ctx.params, address, user => session.start(user, address, ctx.requestID));
				this.logger.info("signed in", { user: signedIn.user.id, requestID: ctx.requestID });
				return signedIn;
			},

			refresh: ctx => session.refresh(ctx.params.refreshToken, ctx.requestID),

			async logout(ctx) {
				return { ended: await session.end(ctx.params.refreshToken, ctx.meta.caller, ctx.requestID) };
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
			session = sessions({ store, signer, limits: signIns, revocations, logger: this.logger });
			if (sweeps) sweeper = periodicTask(sweep, { everyMs: SWEEP_EVERY_MS, logger: this.logger, what: "deleting old sessions" });
		},

		stopped() {
			events.flush();
			return sweeper?.stop();
		}
	});
}
