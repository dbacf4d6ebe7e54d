import { randomUUID } from "node:crypto";
import { config } from "../../runtime/config.ts";
import { openPostgres } from "../database/database.ts";
import { outboxSuite } from "./outbox.suite.ts";

outboxSuite("on a Postgres server", async () => {
	const name = `outbox_${randomUUID().replaceAll("-", "")}`;
	const server = openPostgres(config.databaseUrl);
	await server.knex.raw("create database ??", [name]);
	const url = new URL(config.databaseUrl);
	url.pathname = name;
	const database = openPostgres(url.href);
	const close = async () => {
		await database.close();
		await server.knex.raw("drop database ??", [name]);
		await server.close();
	};
	return { database, close };
});
