// Two nodes that run users on one Postgres, which can be made unavailable.
import { ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { database } from "../../mixins/database/database.ts";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { fresh } from "../../test/client.ts";
import { CollectingLogger } from "../../test/collecting-logger.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import type { SignedIn } from "./users.contract.ts";
import { secretInTable } from "./users.jwt-secret.ts";
import { sqlUsers, type UserStore } from "./users.store.ts";
import { users } from "./users.ts";

export const PASSWORD = "correct horse battery";
export const UNAUTHORIZED = { code: 401, type: "UNAUTHORIZED" };

/** The meta that the gateway sets on a call. */
interface CallMeta {
	address?: string;
	caller?: Identity;
}

const client = (broker: ServiceBroker) => {
	const call = broker.call.bind(broker) as Caller["call"];
	const meta = (from: CallMeta) => ({ meta: { address: "1.1.1.1", ...from } });
	return {
		call,
		register: (email: string, name = "Ann") => call("users.register", { email, password: PASSWORD, name }, meta({})),
		login: (email: string, password = PASSWORD, from: CallMeta = {}) => call("users.login", { email, password }, meta(from)),
		refresh: (refreshToken?: string) => call("users.refresh", { refreshToken }),
		logout: (refreshToken?: string, from: CallMeta = {}) => call("users.logout", { refreshToken }, meta(from)),
		identityOf: (token: string) => call("users.authenticate", { token })
	};
};

/** A new e-mail address, in mixed case. */
export const freshEmail = () => `${fresh("Ann")}@Example.org`;

export async function openNodes({ db, remove }: Scratch) {
	/** Stands still at this time; undefined: the clock of Postgres. */
	const clock: { nowMs: number | undefined } = { nowMs: undefined };
	const now = () => (clock.nowMs === undefined ? db.knex.raw("now()") : db.knex.raw("to_timestamp(? / 1000.0)", [clock.nowMs]));
	const store = sqlUsers(db.knex, now);
	const logger = new CollectingLogger();
	const limits = memoryLimits();
	let isUnavailable = false;
	const reached = new Proxy(store, {
		get: (target, verb) =>
			isUnavailable
				? () => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
				: target[verb as keyof UserStore]
	});

	const brokers = ["one", "other"].map(nodeID => {
		const broker = new ServiceBroker({ nodeID, logger, validator: new ContractValidator(actions) });
		const mixins = [database(db, new URL("./migrations/", import.meta.url))];
		broker.createService(users(reached, { secret: () => secretInTable(db.knex), limits, mixins }));
		return broker;
	});
	await Promise.all(brokers.map(broker => broker.start()));
	const [one, other] = brokers.map(client) as [ReturnType<typeof client>, ReturnType<typeof client>];

	return {
		one,
		other,
		store,
		limits,
		knex: db.knex,
		clock,
		/** What the nodes have logged. */
		lines: logger.lines,
		/** The secret that one of the nodes generated. */
		secret: () => secretInTable(db.knex),

		/** Registers a new account and signs in. */
		async registered() {
			const email = freshEmail();
			return { email, ...(await one.register(email)) } as { email: string } & SignedIn & { refreshToken: string };
		},

		/** Runs `act` while the store is unavailable to all nodes. */
		async whileStoreUnavailable(act: () => Promise<unknown>) {
			isUnavailable = true;
			try {
				await act();
			} finally {
				isUnavailable = false;
			}
		},

		async stop() {
			for (const broker of brokers) await broker.stop();
			await remove();
		}
	};
}

export type Nodes = Awaited<ReturnType<typeof openNodes>>;
