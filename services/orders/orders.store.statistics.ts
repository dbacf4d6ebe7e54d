// Statistics of all orders, from Postgres.
import type { Knex } from "knex";
import { fromCents } from "../../contract/money.ts";
import type { Statistics, Status } from "./orders.contract.ts";

export interface OrderStatistics {
	/** The number of orders in each status; a status without orders may be missing. */
	statuses: Partial<Record<Status, number>>;
	since: Date;
	/** Created since then, and not cancelled. */
	orders: number;
	totalCents: number;
	/** Orders created in each of the last 60 minutes, the oldest first; the last minute is the current one. */
	minutes: { at: Date; orders: number }[];
}

/** One statement, so that all numbers are of the same moment; by the database's clock, like the times of orders. */
const STATISTICS = `
	with chosen as (select coalesce(?::timestamptz, date_trunc('day', now(), 'UTC')) as since),
	counted as (select status, count(*) as orders from orders where status <> 'void' group by status),
	created as (
		select count(*) as orders, coalesce(sum(total_cents), 0) as total_cents
		from orders, chosen where status not in ('void', 'cancelled') and created_at >= since
	),
	minutes as (
		select at, (
			select count(*) from orders where status <> 'void' and created_at >= at and created_at < at + interval '1 minute'
		) as orders
		from generate_series(date_trunc('minute', now()) - interval '59 minutes', date_trunc('minute', now()), interval '1 minute') as at
	)
	select since, orders, total_cents,
		(select coalesce(json_object_agg(status, counted.orders), '{}') from counted) as statuses,
		(select json_agg(json_build_object('at', at, 'orders', minutes.orders) order by at) from minutes) as minutes
	from created, chosen`;

/** `since`: by default the start of the day, UTC. */
export async function loadStatistics(knex: Knex, since?: Date): Promise<OrderStatistics> {
	const [row] = (await knex.raw(STATISTICS, [since ?? null] as Knex.Value[])).rows;
	return {
		statuses: row.statuses,
		since: row.since,
		orders: Number(row.orders),
		totalCents: Number(row.total_cents),
		minutes: row.minutes.map(({ at, orders }: { at: string; orders: number }) => ({ at: new Date(at), orders }))
	};
}

const NONE = { pending: 0, processing: 0, shipped: 0, delivered: 0, cancelled: 0 } satisfies Record<Status, number>;

export const toStatisticsResponse = ({ statuses, since, orders, totalCents, minutes }: OrderStatistics): Statistics => ({
	statuses: { ...NONE, ...statuses },
	since: since.toISOString(),
	orders,
	revenue: fromCents(totalCents),
	minutes: minutes.map(({ at, orders }) => ({ at: at.toISOString(), orders }))
});
