// Postgres in virtual time: a real one whose clock is the scheduler's. Every statement of a process waits for its step, and may fail or lose its answer; a
// killed process loses its connections, and with them the transaction that it has not committed. There is one session, so transactions run one after
// the other: what interleaves is whole transactions and statements outside of them.
import knex, { type Knex } from "knex";
import type pg from "pg";
import type { Fault, Faults } from "./injected-faults.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

export type Query = (statement: pg.QueryConfig | string) => Promise<pg.QueryResult>;

export interface VirtualPostgres {
	/** A knex of this process. */
	connect(actor: Actor): Knex;
	/** Closes the connections of a killed process. */
	disconnect(actor: Actor): void;
	makeUnavailable(forMs: number): void;
}

interface Connection {
	actor: Actor;
	/** Closes it: the server rolls back its transaction. */
	close(): void;
}

/** A statement takes up to this time before it runs, and as long again until its answer arrives. */
const MAX_DELAY_MS = 10;
const MAX_SLOW_DELAY_MS = 3_000;
const MAX_STALL_MS = 20_000;
/** Of a usual transaction: the rates of faults are those of a whole request. */
const STATEMENTS = 8;
/** As openPostgres sets it: a frozen process must not keep its locks. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/** Postgres has its own clock, and its timers never fire: it needs them only for its statistics and for locks that another session holds. */
const SERVER: Actor = { name: "postgres", isAlive: false, frozenUntilMs: 0 };

/** A knex without a pool: each statement outside of a transaction, and each transaction, gets a connection from `open`. */
export function knexOn(open: () => Query): Knex {
	const db = knex({ client: "pg" });
	let opened = 0;
	db.client.acquireConnection = async () => {
		const query = open();
		return {
			__knexUid: `connection-${++opened}`,
			query: (statement: pg.QueryConfig, done: (error: unknown, result?: pg.QueryResult) => void) =>
				void query(statement).then(result => done(null, result), done)
		};
	};
	db.client.releaseConnection = async () => {};
	return db;
}

const startsWith = (text: string, ...words: string[]) => words.some(word => text.toLowerCase().startsWith(word));
/** For the trace. */
const labelOf = (text: string) => text.replace(/\s+/g, " ").slice(0, 50);

/**
 * `onCommit` is called after each change, before any other step. Its argument is when the transaction began: what `now()` was in it.
 * It must use `query` alone.
 */
export function virtualPostgres(
	query: Query,
	scheduler: Scheduler,
	faults: Faults,
	onCommit: (beganAtMs: number) => Promise<void>
): VirtualPostgres {
	const { random, nowMs } = scheduler;
	/** The connection with an open transaction. */
	let owner: Connection | undefined;
	let waiting: (() => void)[] = [];
	let unavailableUntilMs = 0;
	const delayMs = () => random.between(0, faults.shouldInject("slow") ? MAX_SLOW_DELAY_MS : MAX_DELAY_MS);
	const shouldInject = (fault: Fault) => faults.shouldInject(fault) && random.chance(1 / STATEMENTS);
	const isRefused = () => (nowMs() < unavailableUntilMs && !faults.isOver) || shouldInject("refused");
	const runNow = (work: () => Promise<unknown>) => scheduler.waitFor(actAs(SERVER, work));

	const endTransaction = () => {
		owner = undefined;
		const woken = waiting;
		waiting = [];
		for (const wake of woken) wake();
	};

	const open = (actor: Actor): Query => {
		let isClosed = false;
		let beganAtMs = 0;
		let stopIdleTimer = () => {};
		const connection: Connection = {
			actor,
			close() {
				isClosed = true;
				stopIdleTimer();
				// Until the rollback is done, no other connection may write into this transaction.
				if (owner === connection) void runNow(() => query("rollback").finally(endTransaction));
			}
		};
		const closeWith = () => {
			connection.close();
			return new Error("Connection terminated unexpectedly");
		};

		const execute = async (statement: pg.QueryConfig | string, text: string) => {
			if (startsWith(text, "begin")) owner = connection;
			const isInTransaction = owner === connection;
			if (!isInTransaction || startsWith(text, "begin")) beganAtMs = nowMs();
			const isEnd = isInTransaction && (startsWith(text, "commit") || text === "ROLLBACK");
			try {
				const result = await query(statement);
				if (isInTransaction ? startsWith(text, "commit") : !startsWith(text, "select")) await onCommit(beganAtMs);
				return result;
			} finally {
				if (isEnd) endTransaction();
			}
		};

		return async statement => {
			const text = (typeof statement === "string" ? statement : statement.text).trim();
			await scheduler.step(`postgres ${labelOf(text)}`, delayMs());
			while (owner && owner !== connection) {
				await new Promise<void>(resolve => waiting.push(resolve));
				await scheduler.step("postgres waits");
			}
			stopIdleTimer();
			if (isClosed || isRefused()) throw closeWith();
			const result = (await runNow(() => execute(statement, text))) as pg.QueryResult;
			if (owner === connection)
				stopIdleTimer = actAs(undefined, () =>
					scheduler.after(IDLE_IN_TRANSACTION_MS, "postgres ends an idle transaction", connection.close)
				);
			if (shouldInject("stall")) actor.frozenUntilMs = nowMs() + random.between(0, MAX_STALL_MS);
			await scheduler.step(`postgres answers ${labelOf(text)}`, delayMs());
			if (shouldInject("lost")) throw closeWith();
			return result;
		};
	};

	return {
		connect: actor => knexOn(() => open(actor)),
		disconnect: actor => {
			if (owner?.actor === actor) owner.close();
		},
		makeUnavailable: forMs => {
			unavailableUntilMs = nowMs() + forMs;
		}
	};
}
