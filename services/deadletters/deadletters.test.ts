import { embeddedLog } from "../../mixins/topics/embedded/embedded-log.ts";
import { scratchEmbedded } from "../../test/scratch.ts";
import { deadlettersSuite } from "./deadletters.suite.ts";

deadlettersSuite("dead letters of the embedded log", async () => {
	const { db, remove } = await scratchEmbedded();
	const log = embeddedLog(db.knex);
	return {
		log,
		async close() {
			await log.close();
			await db.close();
			await remove();
		}
	};
});
