// Seat maps in Postgres: version, revision and the status of every seat, read in one statement, so they belong together.
import type { Knex } from "knex";
import type { Statuses } from "./seats.rules.ts";

export interface MapStore {
	/** Unknown ids are left out. */
	findVersions(showIds: string[]): Promise<Map<string, Pick<Statuses, "version" | "revision">>>;
	/** Unknown ids are left out. */
	findStatuses(showIds: string[]): Promise<Map<string, Statuses & { expired: string[] }>>;
}

interface Row {
	id: string;
	version: string;
	revision: string;
	letters: string;
	/** Seats whose hold has expired and is not given back yet. */
	expired: string[];
}

const FIND_VERSIONS = "select id, version, revision from shows where id = any(?::text[])";

/** Looks up seat by seat, by the primary key. Without `offset 0` the planner may scan the levels of all shows. */
const findStatuses = (now: string) => `
	select id, version, revision,
		(
			select string_agg(case when stock > reserved then 'f' when stock > 0 then 'h' else 's' end, '' order by position)
			from show_seats as listed left join lateral (
				select stock, reserved from seats_levels where item = listed.show_id || '/' || listed.seat offset 0
			) as level on true
			where listed.show_id = shows.id
		) as letters,
		array(
			select unnest(hold.seats)
			from seats_holders cross join lateral (select show_id, seats from seat_holds where id = holder offset 0) as hold
			where state = 'reserved' and expires_at <= ${now} and hold.show_id = shows.id
		) as expired
	from shows where id = any(?::text[])`;

/** `now`: the SQL of the present time. */
export function sqlMaps(knex: Knex, now: string): MapStore {
	const read = async (sql: string, ids: string[]): Promise<Row[]> => (await knex.raw(sql, [ids])).rows;
	const FIND_STATUSES = findStatuses(now);
	return {
		async findVersions(ids) {
			const rows = await read(FIND_VERSIONS, ids);
			return new Map(rows.map(({ id, version, revision }) => [id, { version: Number(version), revision }]));
		},

		async findStatuses(ids) {
			const rows = await read(FIND_STATUSES, ids);
			return new Map(rows.map(({ id, version, ...statuses }) => [id, { ...statuses, version: Number(version) }]));
		}
	};
}
