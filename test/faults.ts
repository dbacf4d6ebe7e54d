// Helpers of the fault tests: inject a fault during a burst, then check the recovery.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { grpcClient } from "./client.grpc.ts";
import { openSocketAs } from "./client.socket.ts";
import { type Answer, eventually, fresh, httpClient } from "./client.ts";
import { assertError } from "./http.story.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import type { System } from "./system.ts";

export const run = promisify(execFile);
export const INFRA_MS = 300_000;
export const RECOVERY_MS = 120_000;
/** The contract's 5 s, plus a margin for a busy machine. */
const REFUSAL_MS = 7000;

/** Runs infra/main.ts with this command (up, down, kill …). It requires the servers that `npm run test:cluster` starts for tests. */
export function infra(command: string, ...names: string[]) {
	assert.ok(
		process.env.INFRA_DATA,
		"this test stops and wipes servers: run it with npm run test:cluster, which starts separate servers"
	);
	const main = fileURLToPath(new URL("../infra/main.ts", import.meta.url));
	return run(process.execPath, [main, command, ...names], { timeout: INFRA_MS });
}

export function faults(plaza: () => System) {
	let ledger: Ledger | undefined;
	const http = () => httpClient(plaza().url);
	const pick = (user_id = fresh("user"), name = "a") =>
		http().post("/api/selections/async", { name, id: fresh("pick"), user_id });
	const sync = (user_id = fresh("user")) => http().post("/api/selections/synchronization", { user_id });
	const buy = (user_id = fresh("buyer"), amount = 1) => http().post("/api/purchases", { user_id, amount, id: fresh("purchase") });

	async function balance(user: string): Promise<unknown> {
		const grpc = grpcClient(plaza().grpc);
		return grpc.getBalance(user).finally(grpc.close);
	}

	/** Expects 503 with Retry-After within the time limit. */
	async function expectRefusal(request: () => Promise<Answer>) {
		const startMs = Date.now();
		const answer = await request();
		assertError(answer, 503);
		assert.ok(Date.now() - startMs < REFUSAL_MS, `took ${Date.now() - startMs} ms`);
		assert.ok(Number(answer.headers.get("retry-after")) >= 1, `Retry-After: ${answer.headers.get("retry-after")}`);
	}

	async function expectUnhealthy(what: RegExp) {
		await eventually(async () => {
			const { status, json } = await http().get("/health");
			assert.equal(status, 503);
			assert.notEqual(json.status, "ok");
			const down = Object.entries(json.checks as Record<string, string>).filter(([, state]) => state !== "ok");
			assert.ok(
				down.some(([name]) => what.test(name)),
				JSON.stringify(json)
			);
		}, `/health to name ${what}`);
	}

	/** Checks that a pick and a purchase reach every screen of their user, on every gateway. */
	const screensUpdate = async () => {
		const user = fresh("user");
		const screens = await Promise.all(plaza().wsUrls.map(url => openSocketAs(url, user)));
		assert.equal((await pick(user)).status, 202);
		assert.equal((await buy(user, 12.5)).status, 201);
		for (const screen of screens) {
			await screen.waitFor(({ code }) => code === "SelectionSummary", "the pick on every screen");
			await screen.waitFor(({ data }) => data?.balances?.total === 12.5, "the balance on every screen");
			screen.close();
		}
	};

	/** Starts all servers and processes that a test has stopped. */
	async function allUp() {
		await infra("up");
		for (const one of plaza().processes) if (one.ended) one.start();
	}

	/** Starts everything that an earlier test may have stopped, and waits until the system is ready. */
	async function restoreAll(withinMs = RECOVERY_MS) {
		await allUp();
		await plaza().ready(withinMs);
	}

	/** Injects a fault in the middle of a burst. Afterwards the system must recover without help, and every entry must count once. */
	async function underLoad(fault: (ledger: Ledger) => Promise<void>) {
		await restoreAll();
		ledger ??= await openLedger(plaza());
		ledger.startLoad();
		try {
			await ledger.untilAcknowledged(100);
			await fault(ledger);
			await plaza().ready(RECOVERY_MS);
			await ledger.untilAcknowledged(100, RECOVERY_MS);
		} finally {
			await ledger.stopLoad();
		}
		await ledger.checkAcknowledged();
		await ledger.retryAll();
		await ledger.verify();
		await screensUpdate();
	}

	return { http, pick, sync, buy, balance, expectRefusal, expectUnhealthy, screensUpdate, allUp, restoreAll, underLoad };
}
