import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { openPostgres } from "../../mixins/database/database.ts";
import { migrate } from "../../mixins/database/migrate.ts";
import { outbox } from "../../mixins/outbox/outbox.ts";
import { config } from "../../runtime/config.ts";
import { topics } from "../contract.ts";
import type { Caller } from "../define-service.ts";
import { sqlPurchases } from "./purchase.store.ts";
import { purchaseSuite } from "./purchase.suite.ts";
import { purchase } from "./purchase.ts";

/** A new database on the server, and how to drop it. */
async function freshDatabase() {
	const name = `purchase_${randomUUID().replaceAll("-", "")}`;
	const server = openPostgres(config.databaseUrl);
	await server.knex.raw("create database ??", [name]);
	const url = new URL(config.databaseUrl);
	url.pathname = name;
	const drop = async () => {
		await server.knex.raw("drop database ?? with (force)", [name]);
		await server.close();
	};
	return { url, drop };
}

purchaseSuite("on a Postgres server", async () => {
	const { url, drop } = await freshDatabase();
	const [one, two] = [openPostgres(url.href), openPostgres(url.href)];
	const close = async () => {
		await Promise.all([one.close(), two.close()]);
		await drop();
	};
	return { databases: [one, two], close };
});

describe("purchases, with a Postgres server that stops answering", () => {
	let isSilent = false;
	const sockets = new Set<Socket>();
	/** A proxy to the server. While silent it accepts bytes and forwards none, like a server that is frozen or unreachable. */
	const proxy = createServer(client => {
		const server = connect(Number(url.port || 5432), url.hostname);
		for (const [from, to] of [
			[client, server],
			[server, client]
		] as const) {
			sockets.add(from);
			from.on("data", bytes => (isSilent ? held.push(() => to.write(bytes)) : to.write(bytes)));
			from.on("close", () => to.destroy()).on("error", () => {});
		}
	});
	const held: (() => void)[] = [];
	const resume = () => {
		isSilent = false;
		for (const pass of held.splice(0)) pass();
	};

	let url: URL;
	let drop: () => Promise<void>;
	let database: ReturnType<typeof openPostgres>;
	let broker: ServiceBroker;
	let call: Caller["call"];

	before(async () => {
		({ url, drop } = await freshDatabase());
		await once(proxy.listen(0, "127.0.0.1"), "listening");
		const through = new URL(url);
		through.host = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
		database = openPostgres(through.href);
		await migrate(database, new URL("./migrations/", import.meta.url), "purchase_migrations");
		broker = new ServiceBroker({ logger: false });
		broker.createService(purchase(sqlPurchases(database.knex, outbox(database.knex, { contracts: topics })), { batches: 2 }));
		call = broker.call.bind(broker) as Caller["call"];
		await broker.start();
	});
	after(async () => {
		resume();
		await broker?.stop();
		await database?.close();
		for (const socket of sockets) socket.destroy();
		proxy.close();
		await drop?.();
	});

	it("answers UNAVAILABLE while Postgres does not answer, and a retry buys once when it does", async () => {
		const user_id = randomUUID();
		const requests = Array.from({ length: 20 }, () => ({ id: randomUUID(), user_id, amount: 1 }));
		const [first, ...rest] = requests;
		await call("purchase.create", first!);

		isSilent = true;
		const refused = await Promise.allSettled([
			...rest.map(request => call("purchase.create", request)),
			call("purchase.total", { user_id })
		]);
		for (const answer of refused) assert.equal((answer as PromiseRejectedResult).reason?.type, "UNAVAILABLE");

		resume();
		assert.deepEqual(await Promise.all(requests.map(request => call("purchase.create", request))), requests);
		assert.deepEqual(await call("purchase.total", { user_id }), { seq: 20, total_cents: 2000 });
	});
});
