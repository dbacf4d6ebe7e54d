// The same, storing as much as Plaza in the one transaction: order lines, idempotency key and message. Sending and deleting the message is not
// counted. Statements that need no lock come before it, so that the lock is not held longer.
import { randomUUID } from "node:crypto";
import pg from "pg";

/** Uses its own tables and this many connections. */
export async function forUpdateWhole(url: string, { connections = 10 } = {}) {
	const pool = new pg.Pool({ connectionString: url, max: connections });
	await pool.query(`
		create table whole_stock (item text primary key, price bigint not null, stock bigint not null check (stock >= 0));
		create table whole_orders (id text primary key, buyer text not null, total bigint not null, address json not null, at timestamptz not null default now());
		create table whole_lines (order_id text, item text, quantity bigint not null, price bigint not null, primary key (order_id, item));
		create table whole_keys (buyer text, key text, order_id text not null, primary key (buyer, key));
		create table whole_outbox (id bigint generated always as identity primary key, topic text not null, key text not null, value text not null)`);
	const [buyer, price] = ["acct_00000000000000000000000000000001", 500];

	return {
		open: (item: string, stock: number) => pool.query("insert into whole_stock values ($1, $2, $3)", [item, price, stock]),

		/** Returns whether the stock sufficed. */
		async order(key: string, item: string): Promise<boolean> {
			const client = await pool.connect();
			try {
				await client.query("begin");
				const id = randomUUID();
				const { rowCount } = await client.query("insert into whole_keys values ($1, $2, $3) on conflict do nothing", [
					buyer,
					key,
					id
				]);
				if (rowCount === 0) {
					await client.query("rollback");
					return true;
				}
				const address = JSON.stringify({ city: "Athens" });
				await client.query("insert into whole_orders values ($1, $2, $3, $4)", [id, buyer, price, address]);
				await client.query("insert into whole_lines values ($1, $2, 1, $3)", [id, item, price]);
				const message = {
					orderId: id,
					buyerId: buyer,
					items: [{ productId: item, quantity: 1, price }],
					total: price,
					status: "pending"
				};
				await client.query("insert into whole_outbox (topic, key, value) values ('order.created', $1, $2)", [
					id,
					JSON.stringify({ ...message, createdAt: new Date().toISOString() })
				]);
				const { rows } = await client.query("select stock from whole_stock where item = $1 for update", [item]);
				const isEnough = Number(rows[0].stock) >= 1;
				if (isEnough) await client.query("update whole_stock set stock = stock - 1 where item = $1", [item]);
				await client.query(isEnough ? "commit" : "rollback");
				return isEnough;
			} finally {
				client.release();
			}
		},

		async sold(item: string): Promise<number> {
			const { rows } = await pool.query("select count(*) from whole_lines where item = $1", [item]);
			return Number(rows[0].count);
		},

		close: () => pool.end()
	};
}
