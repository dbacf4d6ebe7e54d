// What the tests of faults share: breaking things in the middle of a burst, and looking at what becomes of it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { grpcClient } from "./client.grpc.ts";
import { comingAgain, openSocketAs } from "./client.socket.ts";
import { type Answer, eventually, fresh, httpClient } from "./client.ts";
import { isError } from "./http.story.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import type { System } from "./system.ts";

export const run = promisify(execFile);
export const INFRA_MS = 300_000;
export const RECOVERY_MS = 120_000;
/** The contract's 5 s, and what a busy machine may add. */
const REFUSAL_MS = 7000;

/** Does this to the servers: up, down, kill. They must be the ones of `npm run test:cluster`, which are there for that. */
export function infra(verb: string, ...names: string[]) {
	assert.ok(process.env.INFRA_DATA, "stops and empties servers: run it by npm run test:cluster, which starts some for that");
	const main = fileURLToPath(new URL("../infra/main.ts", import.meta.url));
	return run(process.execPath, [main, verb, ...names], { timeout: INFRA_MS });
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

	/** 503 with Retry-After, in time. */
	async function refused(asked: () => Promise<Answer>) {
		const startMs = Date.now();
		const answer = await asked();
		isError(answer, 503);
		assert.ok(Date.now() - startMs < REFUSAL_MS, `took ${Date.now() - startMs} ms`);
		assert.ok(Number(answer.headers.get("retry-after")) >= 1, `Retry-After: ${answer.headers.get("retry-after")}`);
	}

	async function healthNames(what: RegExp) {
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

	/** A pick and a purchase reach every screen of their user, on every gateway. */
	const screensMove = () =>
		comingAgain(async () => {
			const user = fresh("user");
			const screens = await Promise.all(plaza().wsUrls.map(url => openSocketAs(url, user)));
			assert.equal((await pick(user)).status, 202);
			assert.equal((await buy(user, 12.5)).status, 201);
			for (const screen of screens) {
				await screen.waitFor(({ code }) => code === "SelectionSummary", "the pick on every screen");
				await screen.waitFor(({ data }) => data?.balances?.total === 12.5, "the balance on every screen");
				screen.close();
			}
		});

	/** Starts what a test has left ended. */
	async function allUp() {
		await infra("up");
		for (const one of plaza().processes) if (one.ended) one.start();
	}

	/** Mends what an earlier test may have left broken. */
	async function allWell(withinMs = RECOVERY_MS) {
		await allUp();
		await plaza().ready(withinMs);
	}

	/** Runs a fault in the middle of a burst; in the end everything counts once, and everybody is well, without a hand. */
	async function underLoad(fault: (ledger: Ledger) => Promise<void>) {
		await allWell();
		ledger ??= await openLedger(plaza());
		ledger.burst();
		try {
			await ledger.untilAcknowledged(100);
			await fault(ledger);
			await plaza().ready(RECOVERY_MS);
			await ledger.untilAcknowledged(100, RECOVERY_MS);
		} finally {
			await ledger.calm();
		}
		await ledger.holds();
		await ledger.settle();
		await ledger.verify();
		await screensMove();
	}

	return { http, pick, sync, buy, balance, refused, healthNames, screensMove, allUp, allWell, underLoad };
}
