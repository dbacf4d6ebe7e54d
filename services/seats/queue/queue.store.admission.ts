// The statements of the fair queue that open queues and admit from them; those that let accounts join are in queue.store.join.ts.
import type { Knex } from "knex";
import type { Admission, ShowQueue } from "./queue.rules.ts";
import { type Applicant, columnsOf, run } from "./queue.store.join.ts";

/** Another node may take the lease this long after its holder renewed it last. */
export const LEASE_MS = 8_000;

/** `now`: the SQL text of the present time. */
export function admissionStatements(now: string) {
	const queue = columnsOf(now);

	return {
		/** Until the transaction ends, no other one gives places in these queues or admits from them. */
		lock: (trx: Knex, showIds: string[]) =>
			run<ShowQueue>(
				trx,
				`select ${queue} from show_queue_state as state join shows on shows.id = show_id
				where show_id = any(:showIds::text[]) order by show_id for update of state`,
				{ showIds }
			),

		/** Gives those who joined before the opening their places. The queues must be locked. */
		open: (trx: Knex, showIds: string[]) =>
			run<{ showId: string; places: number }>(
				trx,
				`with ranked as (
					select show_id, user_id, row_number() over (partition by show_id order by lot) as place
					from show_queue where show_id = any(:showIds::text[])
				), placed as (
					update show_queue as member set place = ranked.place from ranked
					where member.show_id = ranked.show_id and member.user_id = ranked.user_id
					returning member.show_id
				)
				update show_queue_state as state set opened = true, places = (select count(*) from placed where show_id = state.show_id)
				where show_id = any(:showIds::text[])
				returning show_id as "showId", places`,
				{ showIds }
			),

		/** Admits, and returns the accounts in the order of their places. The queues must be locked. */
		admit: (trx: Knex, admissions: Admission[]) =>
			run<Applicant>(
				trx,
				`with moved as (
					update show_queue_state as state
					set admitted = admitted + given.count, empty_at = timestamptz 'epoch' + empty_at_us * interval '1 microsecond'
					from unnest(:showIds::text[], :counts::integer[], :emptyAtUs::float8[]) as given (show_id, count, empty_at_us)
					where state.show_id = given.show_id
					returning state.show_id, admitted - given.count as earlier, admitted as last
				)
				select show_id as "showId", user_id as "userId"
				from moved cross join lateral (
					select user_id, place from show_queue where show_id = moved.show_id and place > earlier and place <= last offset 0
				) as member
				order by show_id, place`,
				{
					showIds: admissions.map(({ showId }) => showId),
					counts: admissions.map(({ count }) => count),
					emptyAtUs: admissions.map(({ emptyAtUs }) => emptyAtUs)
				}
			),

		/** Takes or renews the lease and returns the queues that are not open or have somebody waiting; undefined: another node has the lease. */
		async lead(knex: Knex, node: string): Promise<ShowQueue[] | undefined> {
			const rows = await run<ShowQueue | { showId: null }>(
				knex,
				`with lease as (
					update show_queue_lease set holder = :node, until = ${now} + ${LEASE_MS} * interval '1 ms'
					where holder = :node or until <= ${now} returning one
				)
				select ${queue} from lease left join (
					show_queue_state as state join shows on shows.id = show_id
				) on not opened or admitted < places`,
				{ node }
			);
			return rows.length === 0 ? undefined : rows.filter(row => row.showId !== null);
		},

		/** Lets another node take the lease at once. */
		release: (knex: Knex, node: string) =>
			run(knex, "update show_queue_lease set until = '-infinity' where holder = :node", { node })
	};
}
