// Two nodes with accounts on one Postgres, which they may be cut off from.
import { ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { database } from "../../mixins/database/database.ts";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { fresh } from "../../test/client.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import type { SignedIn } from "./users.contract.ts";
import { secretInTable } from "./users.jwt-secret.ts";
import { sqlUsers, type UserStore } from "./users.store.ts";
import { users } from "./users.ts";

export const PASSWORD = "correct horse battery";
export const REFUSED = { code: 401, type: "UNAUTHORIZED" };

/** What the gateway would say of a call. */
interface From {
	address?: string;
	caller?: Identity;
}

const client = (broker: ServiceBroker) => {
	const call = broker.call.bind(broker) as Caller["call"];
	const meta = (from: From) => ({ meta: { address: "1.1.1.1", ...from } });
	return {
		call,
		register: (email: string, name = "Ann") => call("users.register", { email, password: PASSWORD, name }, meta({})),
		login: (email: string, password = PASSWORD, from: From = {}) => call("users.login", { email, password }, meta(from)),
		refresh: (refreshToken?: string) => call("users.refresh", { refreshToken }),
		logout: (refreshToken?: string, from: From = {}) => call("users.logout", { refreshToken }, meta(from)),
		whoHas: (token: string) => call("users.authenticate", { token })
	};
};

/** An e-mail address that nobody has used, in mixed case. */
export const freshEmail = () => `${fresh("Ann")}@Example.org`;

export async function openNodes({ db, remove }: Scratch) {
	const store = sqlUsers(db.knex);
	const limits = memoryLimits();
	let isAway = false;
	const reached = new Proxy(store, {
		get: (target, verb) =>
			isAway
				? () => Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
				: target[verb as keyof UserStore]
	});

	const brokers = ["one", "other"].map(nodeID => {
		const broker = new ServiceBroker({ nodeID, logger: false, validator: new ContractValidator(actions) });
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
		/** The secret that one of them has made. */
		secret: () => secretInTable(db.knex),

		/** A new account, signed in. */
		async registered() {
			const email = freshEmail();
			return { email, ...(await one.register(email)) } as { email: string } & SignedIn & { refreshToken: string };
		},

		/** While this is done the store answers no node. */
		async whileAway(act: () => Promise<unknown>) {
			isAway = true;
			try {
				await act();
			} finally {
				isAway = false;
			}
		},

		async stop() {
			for (const broker of brokers) await broker.stop();
			await remove();
		}
	};
}

export type Nodes = Awaited<ReturnType<typeof openNodes>>;
