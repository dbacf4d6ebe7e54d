// What the tests of seats share: one node of the service on a Postgres of their own, whose clock they can move.
import { randomUUID } from "node:crypto";
import { after, before } from "node:test";
import type { Knex } from "knex";
import { ServiceBroker } from "moleculer";
import type { Identity } from "../../contract/action.ts";
import { ContractValidator } from "../../contract/validator.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { waitUntilReachable } from "../../mixins/dependency.ts";
import { type Outbox, outbox } from "../../mixins/outbox/outbox.ts";
import { reservations } from "../../mixins/reservation/reservation.store.ts";
import { CollectingLogger } from "../../test/collecting-logger.ts";
import { noTopics } from "../../test/no-topics.ts";
import type { Scratch } from "../../test/scratch.ts";
import { actions, topics } from "../contract.ts";
import type { Caller, Message } from "../define-service.ts";
import { memoryCache, type StatusCache } from "./seats.store.cache.ts";
import { type SeatsStore, sqlSeats } from "./seats.store.ts";
import { seats } from "./seats.ts";

export const HOLD_SECONDS = 600;
/** Long enough for a busy machine. */
const PATIENT_MS = 60_000;

export const newIdentity = (role: Identity["role"] = "user"): Identity => ({
	id: `acct_${randomUUID().replaceAll("-", "")}`,
	role,
	session: randomUUID(),
	expiresAtMs: Date.now() + 900_000
});

/** The names `A1` to `A<count>`. */
export const row = (count: number, name = "A") => Array.from({ length: count }, (_, n) => `${name}${n + 1}`);

interface NewShow {
	seats?: (string | { seat: string; category?: string; price?: number })[];
	queue?: { opensAt: string; admitPerSecond: number };
}

export interface SeatsNode {
	/** What the node has logged. */
	lines: string[];
	knex: () => Knex;
	/** A test may replace its functions. */
	store: () => SeatsStore;
	outbox: () => Outbox;
	cache: () => StatusCache;
	/** Calls as this caller; without one, unauthenticated. */
	as: (caller?: Identity) => Caller["call"];
	/** Calls a second node of the service on the same tables, with its own options, while `use` runs. */
	withNode: (
		options: { cache?: StatusCache; timeoutMs?: number },
		use: (call: Caller["call"], broker: ServiceBroker) => Promise<void>
	) => Promise<void>;
	/** Creates a show, and resolves with its id. Default: the seats A1 to A10. */
	newShow: (show?: NewShow) => Promise<string>;
	/** The statuses of a show's seats, in order. */
	statusesOf: (showId: string) => Promise<string[]>;
	/** The messages of a topic about a show in the outbox, in order. */
	published: <T extends "seats.updated" | "hold.expired">(topic: T, showId: string) => Promise<Message<T>[]>;
	/** From now on Postgres' clock, as seats read it, is ahead by this much more. */
	passSeconds: (seconds: number) => Promise<void>;
	/** Items that break the ledger: none, unless there is a bug. */
	brokenItems: () => Promise<string[]>;
}

/** A Postgres, and the cache of statuses; default: in memory. */
export type SeatsScratch = Scratch & { cache?: StatusCache };

/** Begins and ends with the suite that calls it. */
export function seatsNode(open: () => Promise<SeatsScratch>): SeatsNode {
	const logger = new CollectingLogger();
	const broker = new ServiceBroker({ logger, validator: new ContractValidator(actions) });
	let scratch: SeatsScratch;
	let cache: StatusCache;
	let store: SeatsStore;
	let seatsOutbox: Outbox;

	before(async () => {
		scratch = await open();
		cache = scratch.cache ?? memoryCache();
		await waitUntilReachable(scratch.db, broker.logger, () => false);
		await migrate(scratch.db, new URL("./migrations/", import.meta.url), "seats_migrations");
		const { knex } = scratch.db;
		await knex.raw("create table test_clock (ahead interval not null)");
		await knex.raw("insert into test_clock values ('0')");
		seatsOutbox = outbox(knex, { contracts: topics, table: "seats_outbox" });
		store = sqlSeats(knex, seatsOutbox, { holdSeconds: HOLD_SECONDS, now: "now() + (select ahead from test_clock)" });
		broker.createService(seats(store, cache, { batches: 2, timeoutMs: PATIENT_MS, mixins: [noTopics] }));
		await broker.start();
	});
	after(async () => {
		await broker.stop();
		await scratch?.db.close();
		await scratch?.remove();
	});

	const as =
		(caller?: Identity): Caller["call"] =>
		(name, params, options) =>
			broker.call(name, params, { ...options, meta: { caller } }) as never;

	return {
		lines: logger.lines,
		knex: () => scratch.db.knex,
		store: () => store,
		outbox: () => seatsOutbox,
		cache: () => cache,
		as,

		async withNode({ cache: own = cache, timeoutMs }, use) {
			const second = new ServiceBroker({ logger: false, validator: new ContractValidator(actions) });
			second.createService(seats(store, own, { mixins: [noTopics], timeoutMs }));
			await second.start();
			const caller = newIdentity();
			const call = ((name: string, params: object) => second.call(name, params, { meta: { caller } })) as Caller["call"];
			await use(call, second).finally(() => second.stop());
		},

		async newShow({ seats: listed = row(10), queue } = {}) {
			const show = { name: "Hamlet", startsAt: "2036-03-01T19:30:00+02:00", seats: listed, queue };
			return (await as(newIdentity("admin"))("seats.createShow", show)).showId;
		},

		statusesOf: async showId => (await as()("seats.seats", { id: showId })).seats.map(({ status }) => status),

		async published(topic, showId) {
			const rows = await scratch.db.knex("seats_outbox").where({ topic }).orderBy("id");
			return rows.map(({ value }) => JSON.parse(value)).filter(message => message.showId === showId);
		},

		async passSeconds(seconds) {
			await scratch.db.knex.raw("update test_clock set ahead = ahead + ? * interval '1 s'", [seconds]);
		},

		brokenItems: async () => (await reservations(scratch.db.knex, "seats").equation()).broken
	};
}
