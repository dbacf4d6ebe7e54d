// Compares the sums of the ledger with the levels: stock + sold - returned = put in, and reserved <= stock.
import type { Knex } from "knex";
import { tablesOf } from "./schema.ts";

export interface Equation {
	items: number;
	putIn: number;
	sold: number;
	returned: number;
	stock: number;
	reserved: number;
	/** Items whose level differs from the ledger: the first 100. Normally none. */
	broken: string[];
}

// One statement reads one snapshot. A full join, because an item whose level was lost is in the ledger only.
const EQUATION = `
	with ledger as (
		select item,
			coalesce(sum(quantity) filter (where kind in ('open', 'set')), 0) as put_in,
			coalesce(sum(quantity) filter (where kind = 'deduct'), 0) as sold,
			coalesce(sum(quantity) filter (where kind = 'return'), 0) as returned,
			coalesce(sum(quantity) filter (where kind = 'reserve'), 0)
				- coalesce(sum(quantity) filter (where kind in ('deduct', 'release')), 0) as reserved
		from :movements: group by item
	), side_by_side as (
		select *, (stock + sold - returned = put_in and level.reserved = ledger.reserved
			and 0 <= level.reserved and level.reserved <= stock) is not true as is_broken
		from :levels: as level full join ledger using (item)
	)
	select count(*) as items, sum(put_in) as put_in, sum(sold) as sold, sum(returned) as returned,
		(select sum(stock) from :levels:) as stock, (select sum(reserved) from :levels:) as reserved,
		(select array(select item from side_by_side where is_broken order by item limit 100)) as broken
	from side_by_side`;

/** Sums the whole ledger of the tables with this prefix. */
export async function equationOf(knex: Knex, prefix: string): Promise<Equation> {
	const [row] = (await knex.raw(EQUATION, tablesOf(prefix))).rows;
	return {
		items: Number(row.items),
		putIn: Number(row.put_in),
		sold: Number(row.sold),
		returned: Number(row.returned),
		stock: Number(row.stock),
		reserved: Number(row.reserved),
		broken: row.broken
	};
}
