// A crowd that wants more seats than a show has, and screens that show its map: in the end everything is sold once, and every screen shows it.
import assert from "node:assert/strict";
import { openSeatScreen, type SeatScreen } from "./client.seat-screen.ts";
import { openAccount, seatMapOf, statusesOf } from "./client.seats.ts";
import { eventually } from "./client.ts";
import { forEachConcurrently } from "./ledger.ts";
import { auditSeats, type StoredSeats } from "./seat-audit.ts";
import { openSeatLoad, type SeatLoad, type SeatLoadOptions } from "./seat-load.ts";
import type { System } from "./system.ts";

export interface Crowd extends SeatLoadOptions {
	/** Screens, over all gateways. */
	screens: number;
	/** Limit for each step, such as that everything is sold. */
	withinMs: number;
}

/** Small enough for every run of the tests. */
export const CROWD: Crowd = { rows: 4, perRow: 10, buyers: 200, screens: 50, thinkMs: 800, withinMs: 60_000 };
export const LARGE_CROWD: Crowd = { rows: 10, perRow: 20, buyers: 2_000, screens: 50, thinkMs: 2_000, withinMs: 180_000 };
export const MANY_SCREENS: Crowd = { rows: 10, perRow: 10, buyers: 100, screens: 1_000, thinkMs: 1_500, withinMs: 180_000 };

/** The environment of a system for a crowd: a crowd on one machine has one address, and time to confirm also on a slow one. */
export const CROWD_ENV = { MAX_REQUESTS_PER_SECOND: "0", MAX_SOCKETS_PER_ADDRESS: "0", HOLD_SECONDS: "4" };
/** Among thousands of requests at once, one waits longer. */
export const LARGE_CROWD_ENV = { ...CROWD_ENV, HOLD_SECONDS: "10" };

const ACKNOWLEDGED_BEFORE = 20;
/** More handshakes at once would wait in the listen queue. */
const OPENING = 50;

export interface Sold {
	load: SeatLoad;
	showId: string;
	sinceMs: number;
	changesShown: number;
}

async function openScreens(system: System, showId: string, { screens: count, withinMs }: Crowd): Promise<SeatScreen[]> {
	const screens: SeatScreen[] = [];
	const isShown = (screen: SeatScreen) => () => assert.notEqual(screen.version, undefined, screen.refusal);
	await forEachConcurrently(
		Array.from({ length: count }, (_, n) => n),
		async n => {
			const url = system.urls[n % system.urls.length] as string;
			const screen = openSeatScreen(url, (await openAccount(url)).token, showId);
			screens.push(screen);
			await eventually(isShown(screen), "the snapshot on a screen", withinMs);
		},
		OPENING
	);
	return screens;
}

/** Waits until all screens show the map that the API answers, in which everything is sold; no screen may have skipped a version or got one twice. */
async function checkScreens(system: System, showId: string, screens: SeatScreen[], withinMs: number) {
	const map = await seatMapOf(system.url, showId);
	const statuses = statusesOf(map);
	assert.deepEqual([...new Set(Object.values(statuses))], ["sold"]);
	await eventually(
		() => {
			const behind = screens.filter(({ version }) => version !== map.version);
			const [first] = behind;
			assert.equal(behind.length, 0, `the first of them is at ${first?.version} of ${map.version}; ${first?.refusal ?? ""}`);
		},
		"every screen to show the newest version",
		withinMs
	);
	for (const screen of screens) assert.deepEqual(screen.statuses, statuses);
	assert.deepEqual(
		screens.flatMap(({ problems }) => problems),
		[]
	);
}

/** Sells out one show. `disturb` starts once the first requests are acknowledged, long before everything is sold. */
export async function sellOut(system: System, crowd: Crowd, disturb?: () => Promise<unknown>): Promise<Sold> {
	const sinceMs = Date.now();
	const load = await openSeatLoad(system, crowd);
	const { showId } = load;
	const { withinMs } = crowd;
	const screens = await openScreens(system, showId, crowd);
	try {
		load.startLoad();
		try {
			const hasBegun = () => assert.ok(load.acknowledged() >= ACKNOWLEDGED_BEFORE, load.unexpectedAnswers[0]);
			await eventually(hasBegun, `${ACKNOWLEDGED_BEFORE} acknowledgements`, withinMs);
			await disturb?.();
			await load.untilSoldOut(withinMs);
		} finally {
			await load.stopLoad();
		}
		await load.retryAll(withinMs);
		assert.deepEqual(load.unexpectedAnswers, []);
		await checkScreens(system, showId, screens, withinMs);
		return { load, showId, sinceMs, changesShown: screens.reduce((sum, { changes }) => sum + changes, 0) };
	} finally {
		for (const screen of screens) screen.close();
	}
}

/** Checks what is stored of a sold show. Resolves to a line about it. */
export async function auditSold({ load, changesShown }: Sold, stored: () => Promise<StoredSeats>): Promise<string> {
	const { sold } = await eventually(
		async () => auditSeats(load.entries, await stored()),
		"the stored seats to be what was answered"
	);
	const count = (state: string) => load.entries.filter(one => one.state === state).length;
	return (
		`${sold} seats sold once each, by ${count("sold")} of ${load.entries.length} requests: ${count("refused")} refused, ` +
		`${count("released")} released, ${count("ended") + count("forgotten")} ended; ${changesShown} changes on screens`
	);
}
