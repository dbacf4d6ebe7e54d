import { randomUUID } from "node:crypto";
import { config } from "../../config.ts";
import { openPostgres } from "../../mixins/database/database.ts";
import { purchaseSuite } from "./purchase.suite.ts";

purchaseSuite("on a Postgres server", async () => {
	const name = `purchase_${randomUUID().replaceAll("-", "")}`;
	const server = openPostgres(config.databaseUrl);
	await server.knex.raw("create database ??", [name]);
	const url = new URL(config.databaseUrl);
	url.pathname = name;
	const [one, two] = [openPostgres(url.href), openPostgres(url.href)];
	const close = async () => {
		await Promise.all([one.close(), two.close()]);
		await server.knex.raw("drop database ??", [name]);
		await server.close();
	};
	return { databases: [one, two], close };
});
