// Two nodes with reservations in one database, a clock that tests move, and a row that policies lock.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import type { Request, Reserved } from "./reservation.rules.ts";
import { type OnMoved, type Policy, type Reservations, reservations } from "./reservation.store.ts";
import { createReservations } from "./schema.ts";

/** The connections of two nodes to the same tables; with the embedded Postgres both are the same. */
export interface Nodes {
	knex: Knex;
	otherKnex: Knex;
	/** Their reservations expire by `now()`. */
	stores: [Reservations, Reservations];
	/** The same tables, but reservations expire by the clock that `passMs` moves. */
	timed: [Reservations, Reservations];
}

/** A new unique name. */
export const id = (what: string) => `${what}-${randomUUID()}`;

/** As the `now` of reservations. */
export const CLOCK = "select time from test_clock";

export async function createNodes([knex, otherKnex]: [Knex, Knex]): Promise<Nodes> {
	await createReservations(knex, "stock");
	await knex.raw("create table test_clock as select timestamptz '2026-01-31T12:00:00Z' as time");
	await knex.raw("create table test_shows as select 0 as version");
	return {
		knex,
		otherKnex,
		stores: [reservations(knex, "stock"), reservations(otherKnex, "stock")],
		timed: [reservations(knex, "stock", { now: CLOCK }), reservations(otherKnex, "stock", { now: CLOCK })]
	};
}

export const passMs = (knex: Knex, ms: number) =>
	knex.raw("update test_clock set time = time + ?::float * interval '1 ms'", [ms]);

export const timeOf = async (knex: Knex, time = CLOCK): Promise<Date> =>
	(await knex.raw(`select (${time}) as time`)).rows[0].time;

/** Like a service that numbers its changes: whatever moves, and each policy, locks the same row. */
export const touchShow: OnMoved = async trx => void (await trx("test_shows").increment("version"));
export const lockShow: Policy = async trx => {
	await trx("test_shows").forUpdate();
	return () => undefined;
};

/** Waits until so many sessions wait for a lock. Where there is one session only, whatever was started runs after the present transaction. */
export async function waitForLocks({ knex, otherKnex }: Nodes, sessions: number) {
	if (knex === otherKnex) return;
	const deadline = performance.now() + 20_000;
	for (;;) {
		// Not in a transaction, which would read the same again.
		const waiting = otherKnex("pg_stat_activity").whereRaw("datname = current_database() and wait_event_type = 'Lock'");
		const [row] = await waiting.count();
		if (Number(row!.count) >= sessions) return;
		assert.ok(performance.now() < deadline, `waited 20 s for ${sessions} sessions to wait for a lock`);
		await delay(10);
	}
}

/** Lets expire what earlier tests have left, so that a test finds its own reservations only. */
export async function clearExpired({ knex, timed: [one] }: Nodes) {
	await passMs(knex, 3_600_000);
	while ((await one.expire()).length > 0);
}

/** A new item with this stock. */
export async function openItem({ stores: [one] }: Nodes, stock: number): Promise<string> {
	const item = id("item");
	assert.deepEqual(await one.open([{ item, label: "L", stock }]), [true]);
	return item;
}

export const MINUTE_MS = 60_000;

/** A request for one piece. */
export const ask = (holder: string, item: string, lifetimeMs?: number): Request => ({
	holder,
	lines: [{ item, quantity: 1 }],
	lifetimeMs
});

export const isDone = (answer: Reserved | Error | undefined) => answer !== undefined && "done" in answer;

/** A new item with a stock of 1, and a holder of it that expires in a minute of the test's clock. */
export async function held(nodes: Nodes) {
	const [seat, holder] = [await openItem(nodes, 1), id("hold")];
	const [answer] = await nodes.timed[0].reserve([ask(holder, seat, MINUTE_MS)]);
	assert.ok(isDone(answer));
	return [seat, holder] as const;
}

export async function levelOf({ stores: [, two] }: Nodes, item: string) {
	const [level] = await two.levels([item]);
	return level && [level.stock, level.reserved];
}

export const nothingBroken = async ({ stores: [one] }: Nodes) => assert.deepEqual((await one.equation()).broken, []);
