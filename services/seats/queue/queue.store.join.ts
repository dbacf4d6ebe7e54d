// The statements of the fair queue that let accounts join; those that admit are in queue.store.admission.ts. What gives places or admits locks the row of the
// show in `show_queue_state` first; several rows sorted by show.
import type { Knex } from "knex";
import type { ShowQueue } from "./queue.rules.ts";

/** An account that wants to be admitted to a show. */
export interface Applicant {
	showId: string;
	userId: string;
}

/** What is known about an applicant. */
export interface Found extends Omit<ShowQueue, "opensAtUs"> {
	userId: string;
	/** Null: the show has no queue. */
	opensAtUs: number | null;
	secret: string | Buffer;
	/** Whether the queue has its row in `show_queue_state`. */
	isStored: boolean;
	hasJoined: boolean;
	/** Null: not yet. */
	place: number | null;
}

/** SQLSTATE unique_violation. */
const UNIQUE_VIOLATION = "23505";
/** Whether an account could not join because it has joined through another node meanwhile. */
export function isJoinedMeanwhile(error: unknown) {
	const { code, constraint } = error as { code?: string; constraint?: string };
	return code === UNIQUE_VIOLATION && constraint === "show_queue_pkey";
}

/** A float holds whole µs exactly until the year 2255, and arrives as a number. */
const us = (time: string) => `(extract(epoch from ${time}) * 1000000)::float8`;
const byColumn = (applicants: Applicant[]) => ({
	showIds: applicants.map(({ showId }) => showId),
	userIds: applicants.map(({ userId }) => userId)
});

export const run = async <Row>(knex: Knex, sql: string, values: object): Promise<Row[]> =>
	(await knex.raw(sql, values as Record<string, Knex.Value>)).rows;

/** The columns of a `ShowQueue`, from `shows` and from `show_queue_state`, whose row may be missing. `now`: the SQL text of the present time. */
export const columnsOf = (now: string) => `
	shows.id as "showId", ${us(now)} as "nowUs", ${us("starts_at")} as "startsAtUs", ${us("queue_opens_at")} as "opensAtUs",
	queue_admit_per_second::float8 as "perSecond", coalesce(opened, false) as "isOpen", coalesce(places, 0) as places,
	coalesce(admitted, 0) as admitted, ${us("empty_at")} as "emptyAtUs"`;

/** For more accounts than these, it costs less to number all lots of their shows. */
const MAX_COUNTS = 8;
const COUNT_EACH = `
	select asked.show_id as "showId", asked.user_id as "userId", (
		select count(*) from show_queue as other where other.show_id = asked.show_id and other.place is null and other.lot < member.lot
	)::integer as ahead
	from unnest(:showIds::text[], :userIds::text[]) as asked (show_id, user_id)
	cross join lateral (
		select lot from show_queue where show_id = asked.show_id and user_id = asked.user_id and place is null offset 0
	) as member`;
const RANK_ALL = `
	with asked as (
		select show_id, user_id from unnest(:showIds::text[], :userIds::text[]) as asked (show_id, user_id)
	), ranked as (
		select show_id, user_id, row_number() over (partition by show_id order by lot) - 1 as ahead
		from show_queue where show_id = any(:showIds::text[]) and place is null
	)
	select show_id as "showId", user_id as "userId", ahead::integer from ranked join asked using (show_id, user_id)`;

/** `now`: the SQL text of the present time. */
export function joinStatements(now: string) {
	const queue = columnsOf(now);

	return {
		/** In the order of the applicants, without those whose show does not exist. */
		find: (knex: Knex, applicants: Applicant[]) =>
			run<Found>(
				knex,
				// By the primary keys: without `offset 0` the planner may scan whole tables when their statistics are missing, as in the embedded Postgres.
				`select ${queue}, queue_secret as secret, asked.user_id as "userId", opened is not null as "isStored",
					joined_at is not null as "hasJoined", place
				from unnest(:showIds::text[], :userIds::text[]) with ordinality as asked (show_id, user_id, n)
				cross join lateral (select * from shows where id = asked.show_id offset 0) as shows
				left join lateral (select * from show_queue_state where show_id = asked.show_id offset 0) as state on true
				left join lateral (
					select joined_at, place from show_queue where show_id = asked.show_id and user_id = asked.user_id offset 0
				) as member on true
				order by n`,
				byColumn(applicants)
			),

		/** Creates the rows of queues that nobody has joined before. */
		store: (knex: Knex, showIds: string[]) =>
			run(
				knex,
				`insert into show_queue_state (show_id) select show_id from unnest(:showIds::text[]) as asked (show_id) order by show_id
				on conflict do nothing`,
				{ showIds: [...new Set(showIds)] }
			),

		/**
		 * Lets accounts join that have not: before the opening with their lots, later with the next places, in this order. Leaves out those whose queue
		 * should have been opened first. Fails as a whole with `isJoinedMeanwhile` if one of them has joined: a place that it took would stay empty.
		 */
		enter: (knex: Knex, applicants: (Applicant & { lot: string })[]) =>
			run(
				knex,
				`with locked as (
					select show_id, opened, places from show_queue_state as state
					where show_id = any(:showIds::text[]) and (opened or ${now} < (select queue_opens_at from shows where id = state.show_id))
					order by show_id for update
				), newcomer as (
					select show_id, user_id, lot, opened, places + row_number() over (partition by show_id order by n) as next
					from unnest(:showIds::text[], :userIds::text[], :lots::text[]) with ordinality as asked (show_id, user_id, lot, n)
					join locked using (show_id)
				), entered as (
					insert into show_queue (show_id, user_id, joined_at, lot, place)
					select show_id, user_id, ${now}, case when not opened then lot end, case when opened then next end from newcomer
					returning show_id, place
				)
				update show_queue_state as state set places = last
				from (select show_id, max(place) as last from entered where place is not null group by show_id) as given
				where state.show_id = given.show_id`,
				{ ...byColumn(applicants), lots: applicants.map(({ lot }) => lot) }
			),

		/** How many smaller lots there are than those of these accounts; without those that have places by now. */
		rank: (knex: Knex, applicants: Applicant[]) =>
			run<Applicant & { ahead: number }>(knex, applicants.length > MAX_COUNTS ? RANK_ALL : COUNT_EACH, byColumn(applicants))
	};
}

/** Whether each account is admitted to the show, which has a queue; in order. Who is admitted stays so. */
export async function areAdmitted(knex: Knex, buyers: { showId: string; buyerId: string }[]): Promise<boolean[]> {
	const rows = await run<{ isAdmitted: boolean }>(
		knex,
		`select exists (
			select from show_queue as member join show_queue_state as state using (show_id)
			where show_id = asked.show_id and user_id = asked.user_id and place <= admitted
		) as "isAdmitted"
		from unnest(:showIds::text[], :userIds::text[]) with ordinality as asked (show_id, user_id, n) order by n`,
		byColumn(buyers.map(({ showId, buyerId }) => ({ showId, userId: buyerId })))
	);
	return rows.map(({ isAdmitted }) => isAdmitted);
}
