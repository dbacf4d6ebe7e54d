import { migrate } from "../../mixins/database/migrate.ts";
import { scratchEmbedded } from "../../test/scratch.ts";
import { sqlSelections } from "./selections.store.sql.ts";
import { selectionStoreSuite } from "./selections.store.suite.ts";

selectionStoreSuite(
	"on the embedded Postgres",
	async () => {
		const { db, remove } = await scratchEmbedded();
		await migrate(db, new URL("./migrations/", import.meta.url), "selections_migrations");
		const close = async () => {
			await db.close();
			await remove();
		};
		return { store: sqlSelections(db.knex), close };
	},
	50
);
