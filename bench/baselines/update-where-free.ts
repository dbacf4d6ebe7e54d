// Seats by one conditional UPDATE a request: held if free or if the hold on it has ended, sold if held by the buyer who asks.
import { randomUUID } from "node:crypto";

/** Runs one statement, which commits by itself. Resolves to the number of rows that it changed or read, and to the first row. */
export type Statement = (sql: string, values: unknown[]) => Promise<{ count: number; first?: Record<string, unknown> }>;

/** Uses its own table. */
export async function updateWhereFree(run: Statement, holdSeconds: number, close: () => Promise<unknown>) {
	await run(
		`create table baseline_seats (
			show text, seat text, status text not null default 'free', hold text, buyer text, expires_at timestamptz, primary key (show, seat)
		)`,
		[]
	);
	await run("create unique index on baseline_seats (hold)", []);

	return {
		async open(seats: string[]): Promise<string> {
			const show = randomUUID();
			await run("insert into baseline_seats (show, seat) select $1, unnest($2::text[])", [show, seats]);
			return show;
		},

		/** Holds and confirms one seat. Resolves to false if another buyer has it. */
		async buy(buyer: string, show: string, seat: string): Promise<boolean> {
			const hold = randomUUID();
			const held = await run(
				`update baseline_seats set status = 'held', hold = $1, buyer = $2, expires_at = now() + $3 * interval '1 second'
				where show = $4 and seat = $5 and (status = 'free' or status = 'held' and expires_at <= now())`,
				[hold, buyer, holdSeconds, show, seat]
			);
			if (held.count === 0) return false;
			const sold = await run(
				"update baseline_seats set status = 'sold' where hold = $1 and buyer = $2 and status = 'held' and expires_at > now()",
				[hold, buyer]
			);
			return sold.count === 1;
		},

		async sold(show: string): Promise<number> {
			const { first } = await run("select count(*) as sold from baseline_seats where show = $1 and status = 'sold'", [show]);
			return Number(first!.sold);
		},

		vacuum: () => run("vacuum analyze baseline_seats", []),

		close
	};
}
