// Rounds of faults under load: in each something is done to the system while a crowd picks, buys, orders and cancels, and when all is quiet the crowd's books are
// held against every door, store and topic. npm run test:faults -- --rounds 20 [--seed 7] [--from 3]
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { printWarnings } from "../runtime/warnings.ts";
import { eventually } from "./client.ts";
import { audit } from "./faults/audit.ts";
import { type Fault, faultOf } from "./faults/fault-schedule.ts";
import { figuresHold, untilQuiet } from "./faults/quiet.ts";
import { openShop, SHOP_ENV, type Shop } from "./faults/shoppers.ts";
import { faults, infra } from "./faults.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { type System, startSystem } from "./system.ts";
import { JWT_SECRET } from "./tokens.ts";

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
const [ROUNDS, FROM] = [number("FAULT_ROUNDS", 3), number("FAULT_FROM", 1)];
const SEED = number("FAULT_SEED", Math.floor(Math.random() * 1_000_000));

/** Some two hundred operations a second, so that the servers have work at every moment and the books of a long run can still be read. */
const CROWD = { workers: 240, users: 40, thinkMs: 4_000 };
const SHOPPERS = { workers: 24, thinkMs: 3_000 };
/** So long the crowd is at it before a fault and after it at least; and until so much is acknowledged. */
const BURST_MS = 3_000;
const BURST = 200;
const OPERATIONS = 2_500;
/** Without limits that a crowd from one address would reach. */
const NO_LIMITS = { MAX_REQUESTS_PER_SECOND: "0", MAX_FRAMES_PER_SECOND: "0" };

/** Never what decides on a slow machine. */
const PATIENCE_MS = 300_000;

// Of its timers: this process asks Kafka too.
printWarnings();

const seconds = (sinceMs: number) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

/** The last of what the processes called errors. */
const errorsIn = (logs: string) =>
	logs
		.split(/\n(?=\[|---)/)
		.filter(entry => /^\[[^\]]+\] ERROR/.test(entry))
		.slice(-10)
		.join("\n");

describe(`what was acknowledged stands, and counts once (seed ${SEED})`, () => {
	const ordersDir = mkdtempSync(join(tmpdir(), "orders-"));
	let system: System;
	let ledger: Ledger;
	let shop: Shop;
	const { allUp, allWell, screensMove } = faults(() => system);
	const acknowledged = () => ledger.acknowledged() + shop.acknowledged();

	before(
		async () => {
			const NODE_OPTIONS = `--import=${new URL("faults/hook.ts", import.meta.url)}`;
			const env = { JWT_SECRET, NODE_OPTIONS, FAULTS_ORDERS: ordersDir, ...SHOP_ENV, ...NO_LIMITS };
			system = await startSystem({ profile: "cluster", env, waitUntilReady: false });
			await system.ready(PATIENCE_MS);
			ledger = await openLedger(system, CROWD);
			shop = await openShop(system, SHOPPERS);
		},
		{ timeout: PATIENCE_MS * 2 }
	);
	after(async () => {
		await infra("thaw");
		await system?.kill9();
	});

	async function underLoad(act: () => Promise<unknown>) {
		const wanted = acknowledged() + OPERATIONS;
		ledger.burst();
		await shop.burst();
		try {
			await ledger.untilAcknowledged(BURST, PATIENCE_MS);
			await delay(BURST_MS);
			const check = await act();
			await allUp();
			await ledger.untilAcknowledged(BURST, PATIENCE_MS);
			await delay(BURST_MS);
			const enough = Date.now() + PATIENCE_MS;
			while (acknowledged() < wanted && Date.now() < enough) await delay(100);
			return check as ((timeoutMs: number) => Promise<void>) | undefined;
		} finally {
			await infra("thaw");
			await Promise.all([ledger.calm(), shop.calm()]);
		}
	}

	async function play(round: number, { says, act }: Fault) {
		const startMs = Date.now();
		await allWell(PATIENCE_MS);
		const [entries, orders] = [ledger.entries.length, shop.entries.length];
		const checkAside = await underLoad(() => act({ system, ledger, ordersDir }));
		const calmMs = Date.now();
		await allWell(PATIENCE_MS);
		await ledger.holds(PATIENCE_MS);
		await Promise.all([ledger.settle(PATIENCE_MS), shop.settle(PATIENCE_MS)]);
		await untilQuiet(PATIENCE_MS);
		const quiet = seconds(calmMs);
		await ledger.verify(PATIENCE_MS);
		await shop.verify(PATIENCE_MS);
		await audit(ledger, ledger.entries.slice(entries), shop.entries.slice(orders), startMs, PATIENCE_MS);
		await checkAside?.(PATIENCE_MS);
		const accounted = eventually(() => figuresHold(system), "every message to be accounted for", PATIENCE_MS);
		const { consumed, duplicate } = await accounted;
		await screensMove();
		console.log(
			`round ${round} of seed ${SEED}: ${says}; ${acknowledged()} acknowledged, quiet after ${quiet}, ` +
				`${duplicate} of ${consumed} consumed since the last start were known; ${seconds(startMs)}`
		);
	}

	// What is lost in one round is missing in all that follow.
	let hasFailed = false;
	for (let round = FROM; round < FROM + ROUNDS; round++) {
		const fault = faultOf(SEED, round);
		it(`round ${round}: ${fault.says}`, async test => {
			if (hasFailed) return test.skip("a round before it has failed");
			try {
				await play(round, fault);
			} catch (error) {
				hasFailed = true;
				console.log(`round ${round} failed: npm run test:faults -- --rounds 1 --seed ${SEED} --from ${round}`);
				console.log(errorsIn(system.logs()));
				throw error;
			}
		});
	}

	it("and stands when all rounds are over: nothing is lost, nothing counts twice", async test => {
		if (hasFailed) return test.skip("a round has failed, and was not settled");
		await ledger.verify(PATIENCE_MS);
		await shop.verify(PATIENCE_MS);
		console.log(`${acknowledged()} operations were acknowledged in ${ROUNDS} rounds of seed ${SEED}: 0 are lost, 0 count twice`);
	});
});
