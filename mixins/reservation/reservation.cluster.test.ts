import { scratchPostgres } from "../../test/scratch.ts";
import { openPostgres } from "../database/database.ts";
import { reservationSuite } from "./reservation.suite.ts";

reservationSuite("on a Postgres server", async () => {
	const { db, remove } = await scratchPostgres();
	const { connectionString } = db.knex.client.config.connection;
	const other = openPostgres(connectionString);
	const close = async () => {
		await Promise.all([db.close(), other.close()]);
		await remove();
	};
	return { knexes: [db.knex, other.knex], close };
});
