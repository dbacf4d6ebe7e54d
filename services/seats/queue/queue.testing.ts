// Shows with queues, a clock in Postgres that only the test moves, and what was published, for the tests of the fair queue.
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { migrate } from "../../../mixins/database/migrate.ts";
import { outbox } from "../../../mixins/outbox/outbox.ts";
import { eventually } from "../../../test/client.ts";
import type { Scratch } from "../../../test/scratch.ts";
import { topics } from "../../contract.ts";
import type { Place } from "../seats.contract.ts";
import { sqlSeats } from "../seats.store.ts";
import { lotOf } from "./queue.rules.ts";
import { type Applicant, sqlQueue } from "./queue.store.ts";

/** The present time of the stores that `testbed` makes. */
const NOW = "(select at from test_clock)";
const OUTBOX = "seats_outbox";

export const NOON = Date.UTC(2026, 0, 31, 12);
export const STARTS_AT = "2026-03-01T19:30:00.000Z";
export const ADMITTED: Place = { state: "admitted", ahead: 0, until: STARTS_AT };

export async function testbed({ db }: Pick<Scratch, "db">) {
	const { knex } = db;
	await migrate(db, new URL("../migrations/", import.meta.url), "seats_migrations");
	await knex.raw("create table test_clock (at timestamptz not null)");
	await knex("test_clock").insert({ at: new Date(NOON) });

	const outboxOf = (own: Knex = knex) => outbox(own, { contracts: topics, table: OUTBOX });

	return {
		knex,
		now: NOW,
		outboxOf,
		/** A node's store. `own`: its connections; `now`: the SQL text of another clock than the test's. */
		store: (own: Knex = knex, now = NOW) => sqlQueue(own, outboxOf(own), { now }),

		/** As `store`, with everything else that the service needs. */
		seats: (own: Knex = knex, now = NOW) => sqlSeats(own, outboxOf(own), { holdSeconds: 600, now }),

		setClock: (atMs: number) => knex("test_clock").update({ at: new Date(atMs) }),
		advance: (ms: number) => knex.raw("update test_clock set at = at + ? * interval '1 ms'", [ms]),
		async forgetQueues() {
			await knex("show_queue").delete();
			await knex("show_queue_state").delete();
		},
		expireLease: () => knex("show_queue_lease").update({ until: "-infinity" }),

		/** A show whose queue opens at this time; with `null` it has no queue. */
		async show(opensAtMs: number | null = NOON, perSecond = 10) {
			const showId = randomUUID();
			const queue = {
				queue_opens_at: new Date(opensAtMs ?? 0),
				queue_admit_per_second: perSecond,
				queue_secret: randomUUID()
			};
			await knex("shows").insert({
				id: showId,
				name: "Hamlet",
				starts_at: STARTS_AT,
				seat_count: 1,
				...(opensAtMs !== null && queue)
			});
			return showId;
		},

		/** These accounts in the order of their lots, worked out from the show's secret alone. */
		async drawn(showId: string, users: string[]) {
			const { queue_secret: secret } = await knex("shows").where({ id: showId }).first();
			return users.toSorted((one, other) => (lotOf(secret, one) < lotOf(secret, other) ? -1 : 1));
		},

		/** The accounts that were sent `queue.updated`, in order. */
		async admitted(showId: string): Promise<string[]> {
			const rows = await knex(OUTBOX).where({ topic: "queue.updated" }).orderBy("id").select("value");
			const messages = rows.map(({ value }) => JSON.parse(value));
			return messages.filter(message => message.showId === showId).map(({ userId }) => userId);
		},
		/** When each of them was admitted, in ms. */
		async admissionTimes(showId: string): Promise<number[]> {
			const rows = await knex(OUTBOX)
				.whereRaw("topic = 'queue.updated' and value::json ->> 'showId' = ?", [showId])
				.orderBy("id")
				.select(knex.raw("(extract(epoch from created_at) * 1000)::float8 as at"));
			return rows.map(({ at }) => at);
		},

		/** The places of a show's accounts, by account. */
		async places(showId: string): Promise<Map<string, number | null>> {
			const rows = await knex("show_queue").where({ show_id: showId }).orderBy("place").select("user_id", "place");
			return new Map(rows.map(({ user_id: userId, place }) => [userId, place]));
		}
	};
}

export type Testbed = Awaited<ReturnType<typeof testbed>>;

export const people = (count: number) => Array.from({ length: count }, () => `acct_${randomUUID().replaceAll("-", "")}`);
export const applicants = (showId: string, users: string[]): Applicant[] => users.map(userId => ({ showId, userId }));

/** Waits until a value that only grows has reached `expected`. */
export const reaches = (expected: number, read: () => Promise<number>, what: string) =>
	eventually(async () => {
		const value = await read();
		if (value < expected) throw new Error(`${value} of ${expected}`);
		return value;
	}, what);
