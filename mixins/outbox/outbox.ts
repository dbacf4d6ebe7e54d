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
export interface Waiting {
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
	/** Calls back after each commit in this process that put something in. Answers how to stop it. */
	onCommit(listener: () => void): () => void;
	/** The oldest messages, in order. */
	oldest(limit: number): Promise<Waiting[]>;
	/** Forgets messages that have left. */
	remove(ids: string[]): Promise<void>;
	/** How long the oldest message has waited; 0 when none does. */
	ageMs(): Promise<number>;
	readonly knex: Knex;
	readonly table: string;
}

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

	return {
		knex,
		table,

		async add(trx, entries) {
			if (entries.length === 0) return;
			const records = entries.map(({ topic, message, headers, requestID }) =>
				encode(contracts, topic, message, { headers, requestID })
			);
			// The ids are drawn after the sorting, so that they follow the order of the entries.
			await trx.raw(
				`insert into ?? (topic, key, value, headers)
				select topic, key, value, headers
				from rows from (json_to_recordset(?::json) as (topic text, key text, value text, headers jsonb))
					with ordinality as entry (topic, key, value, headers, n)
				order by n`,
				[table, JSON.stringify(records)]
			);
			// In a nested transaction this comes before the outer one's commit: the relay then finds nothing, and looks again by itself.
			trx.executionPromise.then(tell, () => {});
		},

		onCommit(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},

		async oldest(limit) {
			const { rows } = await knex
				.raw("select id, topic, key, value, headers from ?? order by id limit ?", [table, limit])
				.timeout(STATEMENT_TIMEOUT_MS);
			return rows.map(({ id, ...record }: { id: string } & Outgoing) => ({ id, record }));
		},

		async remove(ids) {
			await knex.raw("delete from ?? where id = any(?::bigint[])", [table, ids]).timeout(STATEMENT_TIMEOUT_MS);
		},

		async ageMs() {
			const { rows } = await knex
				.raw("select extract(epoch from clock_timestamp() - created_at) * 1000 as age_ms from ?? order by id limit 1", [table])
				.timeout(STATEMENT_TIMEOUT_MS);
			return Number(rows[0]?.age_ms ?? 0);
		}
	};
}
