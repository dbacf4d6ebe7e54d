/**
 * Messages that leave if, and only if, the transaction that made them commits: they are rows of that transaction, and a relay sends them.
 *
 *     export const up = (knex: Knex) => createOutbox(knex);              // in a migration of the service that owns the tables
 *
 *     const box = outbox(knex, { contracts });                           // contracts: topic → { message: zod schema, key: message => text }
 *     export default {
 *       name: "orders",
 *       mixins: [relay(box, log), database(db, migrations)],             // sends what has committed, in order, at least once
 *       actions: { place: ({ params }) => knex.transaction(async trx => {
 *         await trx("orders").insert(params);
 *         await box.add(trx, [{ topic: "order.created", message: params }]);
 *       }) }
 *     };
 */
import type { Knex } from "knex";
import { type Encodable, encode } from "../topics/encode.ts";
import type { Headers, Outgoing } from "../topics/topic-log.ts";

export interface Entry {
	topic: string;
	message: unknown;
	headers?: Headers;
	requestID?: string;
}

/** A message that has committed and not left yet. */
export interface PendingMessage {
	id: string;
	record: Outgoing;
}

export interface Outbox {
	/**
	 * Puts messages into the caller's transaction, in this order; they leave soon after it commits, and never if it rolls back.
	 * Messages of one key leave in the order in which their transactions commit, provided that those hold a lock in common (the row of
	 * that key which they all update) before they come here: ids are drawn under it, so the smaller one is always seen first.
	 * Throws `VALIDATION_ERROR` when a message is not what its topic's contract says.
	 */
	add(trx: Knex.Transaction, entries: Entry[]): Promise<void>;
	/**
	 * For a statement that stores and tells at once, and so needs no transaction around it: one question to the database instead of four. `work` gets the
	 * rows to insert as one JSON text, to be read by `ENTRIES`; the promises of `add` hold if it inserts them after the lock in common is taken.
	 */
	addWithin<T>(entries: Entry[], work: (rows: string) => Promise<T>): Promise<T>;
	/** Calls back after each commit in this process that put something in. Answers how to stop it. */
	onCommit(listener: () => void): () => void;
	/** Forgets messages that have left, and answers the oldest of the others, in order. */
	next(limit: number, left?: string[]): Promise<PendingMessage[]>;
	/** How long the oldest message has waited; 0 when none does. */
	ageMs(): Promise<number>;
	readonly knex: Knex;
	readonly table: string;
}

/** Reads the rows of `addWithin`, each with its place `n` among the entries, counted from 1. Its one binding is their JSON text. */
export const ENTRIES = `rows from (json_to_recordset(?::json) as (topic text, key text, value text, headers jsonb))
	with ordinality as entry (topic, key, value, headers, n)`;

/** No statement here takes longer; one that does has lost its server. */
export const STATEMENT_TIMEOUT_MS = 4_000;

/** See the top of this file. `table`: as given to `createOutbox`. */
export function outbox(
	knex: Knex,
	{ contracts, table = "outbox" }: { contracts: Record<string, Encodable>; table?: string }
): Outbox {
	const listeners = new Set<() => void>();
	const tell = () => {
		for (const listener of listeners) listener();
	};
	const rowsOf = (entries: Entry[]) =>
		JSON.stringify(
			entries.map(({ topic, message, headers, requestID }) => encode(contracts, topic, message, { headers, requestID }))
		);

	return {
		knex,
		table,

		async add(trx, entries) {
			if (entries.length === 0) return;
			// The ids are drawn after the sorting, so that they follow the order of the entries.
			await trx.raw(`insert into ?? (topic, key, value, headers) select topic, key, value, headers from ${ENTRIES} order by n`, [
				table,
				rowsOf(entries)
			]);
			// In a nested transaction this comes before the outer one's commit: the relay then finds nothing, and looks again by itself.
			trx.executionPromise.then(tell, () => {});
		},

		async addWithin(entries, work) {
			const done = await work(rowsOf(entries));
			tell();
			return done;
		},

		onCommit(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},

		async next(limit, left = []) {
			const forget = left.length === 0 ? "" : "with gone as (delete from :table: where id = any(:left::bigint[]))";
			const others = left.length === 0 ? "" : "where id <> all(:left::bigint[])";
			const { rows } = await knex
				.raw(`${forget} select id, topic, key, value, headers from :table: ${others} order by id limit :limit`, {
					table,
					left,
					limit
				})
				.timeout(STATEMENT_TIMEOUT_MS);
			return rows.map(({ id, ...record }: { id: string } & Outgoing) => ({ id, record }));
		},

		async ageMs() {
			const { rows } = await knex
				.raw("select extract(epoch from clock_timestamp() - created_at) * 1000 as age_ms from ?? order by id limit 1", [table])
				.timeout(STATEMENT_TIMEOUT_MS);
			return Number(rows[0]?.age_ms ?? 0);
		}
	};
}
