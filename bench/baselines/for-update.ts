// One transaction per order: BEGIN; SELECT … FOR UPDATE; UPDATE; INSERT; COMMIT.
import pg from "pg";

/** Uses its own tables and this many connections. */
export async function forUpdate(url: string, { connections = 10 } = {}) {
	const pool = new pg.Pool({ connectionString: url, max: connections });
	await pool.query("create table baseline_stock (item text primary key, stock bigint not null)");
	await pool.query("create table baseline_orders (id text primary key, item text not null, quantity bigint not null)");

	return {
		open: (item: string, stock: number) => pool.query("insert into baseline_stock values ($1, $2)", [item, stock]),

		/** Returns whether the stock sufficed. */
		async order(id: string, item: string): Promise<boolean> {
			const client = await pool.connect();
			try {
				await client.query("begin");
				const { rows } = await client.query("select stock from baseline_stock where item = $1 for update", [item]);
				const isEnough = Number(rows[0].stock) >= 1;
				if (isEnough) {
					await client.query("update baseline_stock set stock = stock - 1 where item = $1", [item]);
					await client.query("insert into baseline_orders values ($1, $2, 1)", [id, item]);
				}
				await client.query("commit");
				return isEnough;
			} finally {
				client.release();
			}
		},

		async sold(item: string): Promise<number> {
			const { rows } = await pool.query("select count(*) from baseline_orders where item = $1", [item]);
			return Number(rows[0].count);
		},

		close: () => pool.end()
	};
}
