// Shows and their seats in Postgres. They never change; the seats' levels are those of the reservations.
import { randomUUID } from "node:crypto";
import type { Knex } from "knex";
import { invalid, unavailable } from "../../mixins/errors.ts";
import type { Reservations } from "../../mixins/reservation/reservation.store.ts";
import { itemOf, type SeatOfShow, type StoredShow } from "./seats.rules.ts";

export interface NewShow {
	name: string;
	startsAt: Date;
	seats: SeatOfShow[];
	queue?: { opensAt: Date; admitPerSecond: number };
}

/** A show and its seats, in the order in which they were listed. */
export interface SeatingPlan {
	show: StoredShow;
	seats: SeatOfShow[];
}

export interface ShowStore {
	/** Stores the show with all its seats, or nothing of it: also if `isTooLate` before it commits, then it rejects with `UNAVAILABLE`. */
	createShow(show: NewShow, isTooLate?: () => boolean): Promise<StoredShow>;
	/** Unknown ids are left out. */
	findShows(ids: string[]): Promise<Map<string, StoredShow>>;
	/** The newest first. Rejects with `VALIDATION_ERROR` if `after` is not a show. */
	listShows(page: { limit: number; after?: string }): Promise<StoredShow[]>;
	/** Unknown ids are left out. */
	findPlans(ids: string[]): Promise<Map<string, SeatingPlan>>;
}

interface Row {
	id: string;
	name: string;
	starts_at: Date;
	seat_count: number;
	created_at: Date;
	queue_opens_at: Date | null;
	queue_admit_per_second: number | null;
}

type SeatColumns = [seat: string, row: string, number: number, category: string, priceCents: number];

const INSERT_SHOW = `
	insert into shows (id, name, starts_at, seat_count, queue_opens_at, queue_admit_per_second, queue_secret)
	select :id, :name, :startsAt::timestamptz, :seatCount, :opensAt::timestamptz, :admitPerSecond::float8,
		case when :opensAt::timestamptz is not null then gen_random_uuid()::text || gen_random_uuid()::text end
	returning *`;
const INSERT_SEATS = `
	insert into show_seats (show_id, position, seat, row_name, number, category, price_cents)
	select ?, ?::int + n, seat, row_name, number, category, price_cents
	from unnest(?::text[], ?::text[], ?::int[], ?::text[], ?::bigint[])
		with ordinality as listed (seat, row_name, number, category, price_cents, n)`;
/** Seats of one statement: between statements the embedded Postgres lets others run. */
const MAX_SEATS_AT_ONCE = 1_000;

const FIND_PLANS = `
	select shows.*, listed.seats
	from shows cross join lateral (
		select json_agg(json_build_array(seat, row_name, number, category, price_cents) order by position) as seats
		from show_seats where show_id = shows.id
	) as listed
	where id = any(?::text[])`;

const toShow = (row: Row): StoredShow => ({
	showId: row.id,
	name: row.name,
	startsAt: row.starts_at,
	seatCount: row.seat_count,
	createdAt: row.created_at,
	...(row.queue_opens_at && { queue: { opensAt: row.queue_opens_at, admitPerSecond: row.queue_admit_per_second! } })
});

const byID = (rows: Row[]) => new Map(rows.map(row => [row.id, toShow(row)]));

/** `seats`: the reservations of all seats. */
export function sqlShows(knex: Knex, seats: Pick<Reservations, "open">): ShowStore {
	const insertSeats = async (trx: Knex, showId: string, listed: SeatOfShow[]) => {
		for (let start = 0; start < listed.length; start += MAX_SEATS_AT_ONCE) {
			const part = listed.slice(start, start + MAX_SEATS_AT_ONCE);
			await trx.raw(INSERT_SEATS, [
				showId,
				start,
				part.map(({ seat }) => seat),
				part.map(({ row }) => row),
				part.map(({ number }) => number),
				part.map(({ category }) => category),
				part.map(({ priceCents }) => priceCents)
			]);
		}
	};

	return {
		async createShow({ name, startsAt, seats: listed, queue }, isTooLate = () => false) {
			const id = randomUUID();
			let created: StoredShow | undefined;
			const items = listed.map(({ seat }) => ({ item: itemOf(id, seat), label: seat, stock: 1 }));
			const insert = async (trx: Knex) => {
				const { rows } = await trx.raw(INSERT_SHOW, {
					id,
					name,
					startsAt: startsAt.toISOString(),
					seatCount: listed.length,
					opensAt: queue?.opensAt.toISOString() ?? null,
					admitPerSecond: queue?.admitPerSecond ?? null
				} as Record<string, Knex.Value>);
				await insertSeats(trx, id, listed);
				if (isTooLate()) throw unavailable("Postgres");
				created = toShow(rows[0]);
			};
			await seats.open(items, { onMoved: insert });
			return created!;
		},

		async findShows(ids) {
			return byID((await knex.raw("select * from shows where id = any(?::text[])", [ids])).rows);
		},

		async listShows({ limit, after }) {
			const cursor = after === undefined ? undefined : await knex("shows").where({ id: after }).first("number");
			if (after !== undefined && !cursor) throw invalid([{ field: "after", message: "must be the showId of a show" }]);
			const page: Row[] = await knex("shows")
				.modify(shows => cursor && shows.where("number", "<", cursor.number))
				.orderBy("number", "desc")
				.limit(limit);
			return page.map(toShow);
		},

		async findPlans(ids) {
			const rows: (Row & { seats: SeatColumns[] })[] = (await knex.raw(FIND_PLANS, [ids])).rows;
			const plans = rows.map((row): [string, SeatingPlan] => {
				const seats = row.seats.map(([seat, rowName, number, category, priceCents]) => ({
					seat,
					row: rowName,
					number,
					category,
					priceCents
				}));
				return [row.id, { show: toShow(row), seats }];
			});
			return new Map(plans);
		}
	};
}
