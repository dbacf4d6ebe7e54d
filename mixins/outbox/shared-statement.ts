// Outboxes of one process poll at the same time: the statements that they run in one turn of the event loop share one round trip to their database.
import type { Knex } from "knex";
import { microBatch } from "../micro-batch.ts";

/** A statement that takes longer has lost its server. */
const STATEMENT_TIMEOUT_MS = 4_000;

export type Row = Record<string, unknown>;
export type Run = (statement: Statement) => Promise<Row[]>;

export interface Statement {
	/**
	 * Returns rows; an `update` or a `delete` needs `returning`. A column whose type JSON does not have, such as bigint or numeric, is a number in some
	 * results and a text in others, unless it is cast.
	 */
	sql: string;
	bindings: unknown[];
	/** A second statement without rows. Both see the same snapshot, so neither sees what the other changes. */
	also?: { sql: string; bindings: unknown[] };
}

/** More than one, so that a statement that waits for a lock does not delay the other outboxes. */
const CONCURRENCY = 4;

/** A statement that is alone runs as it is: for Postgres, its rows as JSON would cost 4 µs more each. Several ones have a column of JSON each. */
function combine(statements: Statement[]): { sql: string; bindings: unknown[] } {
	const [first, ...others] = statements as [Statement, ...Statement[]];
	const isAlone = others.length === 0;
	const parts = statements.flatMap(({ sql, bindings, also }, n) => [
		...(also ? [{ sql: `also${n} as (${also.sql})`, bindings: also.bindings }] : []),
		...(isAlone ? [] : [{ sql: `rows${n} as (${sql})`, bindings }])
	]);
	const common = parts.length === 0 ? "" : `with ${parts.map(({ sql }) => sql).join(", ")}`;
	const columns = statements.map((_, n) => `(select json_agg(rows${n}) from rows${n}) as "${n}"`);
	return {
		sql: `${common} ${isAlone ? first.sql : `select ${columns}`}`,
		bindings: [...parts.flatMap(({ bindings }) => bindings), ...(isAlone ? first.bindings : [])]
	};
}

async function runTogether(knex: Knex, statements: Statement[]): Promise<Row[][]> {
	const { sql, bindings } = combine(statements);
	const { rows } = await knex.raw(sql, bindings as Knex.Value[]).timeout(STATEMENT_TIMEOUT_MS);
	return statements.length === 1 ? [rows] : statements.map((_, n) => rows[0][n] ?? []);
}

const runners = new WeakMap<Knex, Run>();

/** Runs statements on this knex; see the top of this file. Each statement must have no effect on the tables of the others. */
export function sharedRun(knex: Knex): Run {
	const known = runners.get(knex);
	if (known) return known;
	const runAlone = (statement: Statement): Promise<Row[] | Error> =>
		runTogether(knex, [statement]).then(
			([rows]) => rows!,
			error => error
		);
	const run = microBatch(
		(statements: Statement[]) =>
			// One table may be missing, locked or damaged: the others' statements can be repeated, also if they had an effect.
			runTogether(knex, statements).catch(error =>
				statements.length === 1 ? [error as Error] : Promise.all(statements.map(runAlone))
			),
		{ maxItems: 100, maxWaiting: 10_000, concurrency: CONCURRENCY, name: "Postgres" }
	);
	runners.set(knex, run);
	return run;
}
