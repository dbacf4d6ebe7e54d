// The cluster while Kafka, Cassandra, Postgres or Redis is unavailable: possible requests are answered, others are refused in time,
// nothing acknowledged is lost or counted twice, and the cluster recovers by itself.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { status } from "@grpc/grpc-js";
import { openSocket, openSocketAs } from "./client.socket.ts";
import { eventually, fresh } from "./client.ts";
import { faults, INFRA_MS, infra, RECOVERY_MS, run } from "./faults.ts";
import { type System, startSystem } from "./system.ts";

const { KAFKA_PORT, CASSANDRA_PORT, PG_PORT, REDIS_PORT, REDIS_URL = "" } = process.env;

describe("the cluster while a server is unavailable", () => {
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
	const { http, pick, sync, buy, balance, expectRefusal, expectUnhealthy, screensUpdate, underLoad } = faults(() => system);
	const list = () => http().get("/selections");
	const waitForTotal = (user: string, total: number) =>
		eventually(
			async () => assert.deepEqual(await balance(user), { balances: { total } }),
			`the wallet to return ${total}`,
			RECOVERY_MS
		);

	it("waits for all four at start with one log line for each and 503 meanwhile, and continues when they are available", async () => {
		await eventually(async () => assert.equal((await http().get("/health/live")).status, 200), "the gateway to listen");
		for (const request of [pick, sync, buy, list]) await expectRefusal(() => request());
		assert.equal((await http().get("/health/ready")).status, 503);
		await expectUnhealthy(/kafka/i);
		// Nodes discover each other over Kafka: before it is available they do not use the other servers.
		const lineWith = (port: string | undefined) =>
			system
				.logs()
				.split("\n")
				.find(line => line.includes(`:${port}`));
		const logsHint = (port: string | undefined, variable: string) =>
			eventually(
				() => assert.match(lineWith(port) ?? "", new RegExp(`${variable}.*$`)),
				`a line that names port ${port} and ${variable}`
			);
		await logsHint(KAFKA_PORT, "KAFKA_BROKERS");
		await infra("up", "kafka");
		await logsHint(CASSANDRA_PORT, "CASSANDRA_CONTACT_POINTS");
		await logsHint(PG_PORT, "DATABASE_URL");
		await logsHint(REDIS_PORT, "REDIS_URL");
		for (const one of system.processes) assert.equal(one.ended, undefined);
		for (const request of [buy, list]) await expectRefusal(() => request());
		await infra("up");
		await system.ready(RECOVERY_MS);
		await screensUpdate();
	});

	it("without Kafka refuses picks, still sells and lists, and catches up later", () =>
		underLoad(async () => {
			await infra("kill", "kafka");
			await expectUnhealthy(/kafka/i);
			await expectRefusal(() => pick());
			await expectRefusal(() => sync());
			const buyer = fresh("buyer");
			assert.equal((await buy(buyer, 3)).status, 201);
			for (const path of ["/selections", `/api/wallet/${fresh()}`, "/index.html"])
				assert.equal((await http().get(path)).status, 200, path);
			const socket = await openSocket(system.wsUrl);
			assert.equal((await socket.request({ code: "watch", data: { selections: true } })).code, "Selections");
			socket.send({ user_id: buyer, amount: 2 });
			await socket.waitFor(({ code }) => code === "purchase", "a purchase without Kafka");
			socket.close();
			await infra("up", "kafka");
			await waitForTotal(buyer, 5);
		}));

	it("loses nothing and counts nothing twice when Kafka is restarted", () =>
		underLoad(async () => {
			await infra("down", "kafka");
			await infra("up", "kafka");
		}));

	it("after FLUSHALL on Redis returns correct totals, and pushes to open sockets", () =>
		underLoad(async () => {
			const buyer = fresh("buyer");
			await buy(buyer, 7.5);
			await waitForTotal(buyer, 7.5);
			const user = fresh("user");
			const screen = await openSocketAs(system.wsUrls.at(-1) as string, user);
			await run("redis-cli", ["-u", REDIS_URL, "flushall"]);
			assert.deepEqual(await balance(buyer), { balances: { total: 7.5 } });
			await eventually(async () => {
				await pick(user);
				assert.ok(screen.of("SelectionSummary").length > 0);
			}, "a push to the open socket");
			screen.close();
		}));

	it("without Redis accepts picks and purchases, and returns totals from Postgres", () =>
		underLoad(async ledger => {
			const buyer = fresh("buyer");
			await buy(buyer, 1);
			await infra("kill", "redis");
			await expectUnhealthy(/redis/i);
			assert.equal((await buy(buyer, 2)).status, 201);
			assert.equal((await pick()).status, 202);
			assert.equal((await list()).status, 200);
			await waitForTotal(buyer, 3);
			await ledger.untilAcknowledged(100, RECOVERY_MS);
			await infra("up", "redis");
		}));

	it("without Postgres refuses purchases and the list, accepts picks, and never returns a wrong total", () =>
		underLoad(async () => {
			const buyer = fresh("buyer");
			await buy(buyer, 1.25);
			await waitForTotal(buyer, 1.25);
			await infra("down", "postgres");
			await expectUnhealthy(/postgres/i);
			await expectRefusal(() => buy());
			await expectRefusal(list);
			assert.equal((await pick()).status, 202);
			assert.equal((await sync()).status, 202);
			const answer = await balance(buyer).catch((error: { code: number }) => error.code);
			if (answer !== status.UNAVAILABLE) assert.deepEqual(answer, { balances: { total: 1.25 } });
			await infra("kill", "redis");
			await assert.rejects(balance(buyer), { code: status.UNAVAILABLE });
			await assert.rejects(balance(fresh("nobody")), { code: status.UNAVAILABLE });
			await expectRefusal(() => http().get(`/api/wallet/${buyer}`));
			await infra("up", "redis", "postgres");
			await waitForTotal(buyer, 1.25);
		}));

	it("without Cassandra accepts picks, and counts them once it is available", () =>
		underLoad(async ledger => {
			await infra("kill", "cassandra");
			await expectUnhealthy(/cassandra/i);
			assert.equal((await pick()).status, 202);
			assert.equal((await buy()).status, 201);
			assert.equal((await list()).status, 200);
			await ledger.untilAcknowledged(100, RECOVERY_MS);
			await infra("up", "cassandra");
		}));
});
