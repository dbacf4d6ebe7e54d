// What the cluster does while Kafka, Cassandra, Postgres or Redis is away: what can be done is done, the rest is refused in time,
// nothing acknowledged is lost or counted twice, and it goes on by itself.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { openSocket, openSocketAs } from "./client.socket.ts";
import { eventually, fresh } from "./client.ts";
import { faults, INFRA_MS, infra, RECOVERY_MS, run } from "./faults.ts";
import { type System, startSystem } from "./system.ts";

const { KAFKA_PORT, CASSANDRA_PORT, PG_PORT, REDIS_PORT, REDIS_URL = "" } = process.env;

describe("the cluster while a server is away", () => {
	let system: System;
	before(
		async () => {
			await infra("down");
			system = await startSystem({ profile: "cluster", waitUntilReady: false });
		},
		{ timeout: INFRA_MS }
	);
	after(
		async () => {
			await system?.kill9();
			await infra("up");
		},
		{ timeout: INFRA_MS }
	);
	const { http, pick, sync, buy, balance, refused, healthNames, screensMove, underLoad } = faults(() => system);
	const list = () => http().get("/selections");
	const tells = (user: string, total: number) =>
		eventually(
			async () => assert.deepEqual(await balance(user), { balances: { total } }),
			`the wallet to tell ${total}`,
			RECOVERY_MS
		);

	it("waits for all four at start: one line for each, 503 meanwhile, and goes on once they are there", async () => {
		await eventually(async () => assert.equal((await http().get("/health/live")).status, 200), "the gateway to listen");
		for (const asked of [pick, sync, buy, list]) await refused(() => asked());
		assert.equal((await http().get("/health/ready")).status, 503);
		await healthNames(/kafka/i);
		// Nodes find each other over Kafka: until it is there nobody asks for the others.
		const said = (port: string | undefined) =>
			system
				.logs()
				.split("\n")
				.find(line => line.includes(`:${port}`));
		const says = (port: string | undefined, variable: string) =>
			eventually(
				() => assert.match(said(port) ?? "", new RegExp(`${variable}.*$`)),
				`a line that names port ${port} and ${variable}`
			);
		await says(KAFKA_PORT, "KAFKA_BROKERS");
		await infra("up", "kafka");
		await says(CASSANDRA_PORT, "CASSANDRA_CONTACT_POINTS");
		await says(PG_PORT, "DATABASE_URL");
		await says(REDIS_PORT, "REDIS_URL");
		for (const one of system.processes) assert.equal(one.ended, undefined);
		for (const asked of [buy, list]) await refused(() => asked());
		await infra("up");
		await system.ready(RECOVERY_MS);
		await screensMove();
	});

	it("without Kafka refuses picks, sells and lists all the same, and catches up", () =>
		underLoad(async () => {
			await infra("kill", "kafka");
			await healthNames(/kafka/i);
			await refused(() => pick());
			await refused(() => sync());
			const buyer = fresh("buyer");
			assert.equal((await buy(buyer, 3)).status, 201);
			for (const path of ["/selections", `/api/wallet/${fresh()}`, "/index.html"])
				assert.equal((await http().get(path)).status, 200, path);
			const socket = await openSocket(system.wsUrl);
			assert.equal((await socket.ask({ code: "watch", data: { selections: true } })).code, "Selections");
			socket.send({ user_id: buyer, amount: 2 });
			await socket.waitFor(({ code }) => code === "purchase", "a purchase without Kafka");
			socket.close();
			await infra("up", "kafka");
			await tells(buyer, 5);
		}));

	it("loses nothing and counts nothing twice when Kafka is restarted", () =>
		underLoad(async () => {
			await infra("down", "kafka");
			await infra("up", "kafka");
		}));

	it("after FLUSHALL on Redis tells every total rightly, and moves the screens that were open", () =>
		underLoad(async () => {
			const buyer = fresh("buyer");
			await buy(buyer, 7.5);
			await tells(buyer, 7.5);
			const user = fresh("user");
			const screen = await openSocketAs(system.wsUrls.at(-1) as string, user);
			await run("redis-cli", ["-u", REDIS_URL, "flushall"]);
			assert.deepEqual(await balance(buyer), { balances: { total: 7.5 } });
			// The screen's node finds its own key gone, and registers the screen again.
			await eventually(async () => {
				await pick(user);
				assert.ok(screen.of("SelectionSummary").length > 0);
			}, "a screen that was open to move again");
			screen.close();
		}));

	it("without Redis takes picks, sells, and tells totals from Postgres", () =>
		underLoad(async ledger => {
			const buyer = fresh("buyer");
			await buy(buyer, 1);
			await infra("kill", "redis");
			await healthNames(/redis/i);
			assert.equal((await buy(buyer, 2)).status, 201);
			assert.equal((await pick()).status, 202);
			assert.equal((await list()).status, 200);
			await tells(buyer, 3);
			await ledger.untilAcknowledged(100, RECOVERY_MS);
			await infra("up", "redis");
		}));

	it("without Postgres refuses purchases and the list, takes picks, and never tells a wrong total", () =>
		underLoad(async () => {
			const buyer = fresh("buyer");
			await buy(buyer, 1.25);
			await tells(buyer, 1.25);
			await infra("down", "postgres");
			await healthNames(/postgres/i);
			await refused(() => buy());
			await refused(list);
			assert.equal((await pick()).status, 202);
			assert.equal((await sync()).status, 202);
			const told = await balance(buyer).catch((error: { code: number }) => error.code);
			if (told !== status.UNAVAILABLE) assert.deepEqual(told, { balances: { total: 1.25 } });
			await infra("kill", "redis");
			await assert.rejects(balance(buyer), { code: status.UNAVAILABLE });
			await assert.rejects(balance(fresh("nobody")), { code: status.UNAVAILABLE });
			await refused(() => http().get(`/api/wallet/${buyer}`));
			await infra("up", "redis", "postgres");
			await tells(buyer, 1.25);
		}));

	it("without Cassandra takes picks, and counts them once it is back", () =>
		underLoad(async ledger => {
			await infra("kill", "cassandra");
			await healthNames(/cassandra/i);
			assert.equal((await pick()).status, 202);
			assert.equal((await buy()).status, 201);
			assert.equal((await list()).status, 200);
			await ledger.untilAcknowledged(100, RECOVERY_MS);
			await infra("up", "cassandra");
		}));
});
