import { scratchEmbedded } from "../../test/scratch.ts";
import { reservationSuite } from "./reservation.suite.ts";

reservationSuite("embedded", async () => {
	const { db, remove } = await scratchEmbedded();
	const close = async () => {
		await db.close();
		await remove();
	};
	return { knexes: [db.knex, db.knex], close };
});
