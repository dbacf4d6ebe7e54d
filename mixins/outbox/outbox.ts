/**
 * Publishes messages if, and only if, the transaction that created them commits: they are rows of that transaction, and a relay publishes them.
 *
 *     export const up = (knex: Knex) => createOutbox(knex);              // in a migration of the service that owns the tables
 *
 *     const box = outbox(knex, { contracts });                           // contracts: topic → { message: zod schema, key: message => text }
 *     export default {
 *       name: "orders",
 *       mixins: [relay(box, log), database(db, migrations)],             // publishes what has committed, in order, at least once
 *       actions: { place: ({ params }) => knex.transaction(async trx => {
 *         await trx("orders").insert(params);
 *         await box.add(trx, [{ topic: "order.created", message: params }]);
 *       }) }
 *     };
 */
import type { Knex } from "knex";
import { unavailable } from "../errors.ts";
import { type Encodable, encode } from "../topics/encode.ts";
import type { Headers, Outgoing } from "../topics/topic-log.ts";
import { hasProof, type Proofs, proofsWith } from "./proof.ts";
import { leaseTable } from "./schema.ts";
import { type Run, sharedRun } from "./shared-statement.ts";

export interface Entry {
	topic: string;
	message: unknown;
	headers?: Headers;
	requestID?: string;
}

/** A message that has committed and is not published yet. */
export interface PendingMessage {
	id: string;
	record: Outgoing;
}

export interface Outbox {
	/**
	 * Adds messages to the caller's transaction, in this order. They are published soon after it commits, and never if it rolls back.
	 * Messages of one key are published in the order in which their transactions commit if these transactions lock the same row (one that
	 * belongs to the key) before they call this: ids are then assigned under that lock, in the order of the commits.
	 * Throws `VALIDATION_ERROR` when a message does not match its topic's contract.
	 */
	add(trx: Knex.Transaction, entries: Entry[]): Promise<void>;
	/**
	 * For a single statement that writes both its own tables and the outbox, without a transaction around it: one round trip instead of four.
	 * `work` gets the rows to insert as one JSON text, which `ENTRIES` reads. The order of `add` holds if the statement inserts them after it has
	 * taken the common lock. `trx`: the transaction of the statement, if it has one; the messages are published after it commits.
	 */
	addInStatement<T>(entries: Entry[], work: (rows: string) => Promise<T>, trx?: Knex.Transaction): Promise<T>;
	/** Calls the listener after each commit in this process that added messages. Returns how to stop it. */
	onCommit(listener: () => void): () => void;
	/** Deletes the messages with the ids `sent`, and resolves with the oldest of the others, in order: one statement. */
	next(limit: number, sent?: string[]): Promise<PendingMessage[]>;
	/** The age of the oldest message; 0 without one. */
	ageMs(): Promise<number>;
	/**
	 * Lets consumers check which records this outbox has published: call it for each batch. Rejects with `UNAVAILABLE` while the key cannot be read. It is
	 * read once, and again, at most once a minute, after a record whose proof is wrong or a failed `next`: Postgres may have been restored, and
	 * have another key. Only for an outbox with the option `proves`.
	 */
	proofs(): Promise<Proofs>;
	/** Runs a statement together with those that other outboxes of this knex run at the same time. */
	readonly run: Run;
	readonly knex: Knex;
	readonly table: string;
}

/** Reads the rows of `addInStatement`, each with its position `n` among the entries, counted from 1. Its one binding is their JSON text. */
export const ENTRIES = `rows from (json_to_recordset(?::json) as (topic text, key text, value text, headers jsonb))
	with ordinality as entry (topic, key, value, headers, n)`;

const KEY_REREAD_MS = 60_000;

export interface OutboxOptions {
	contracts: Record<string, Encodable>;
	/** As given to `createOutbox`. */
	table?: string;
	/** Signs what it publishes, together with these headers (proof.ts). The table needs a key: `addProofKey` in a migration. */
	proves?: readonly string[];
	/** A monotonic clock, in ms. */
	clock?: () => number;
}

/** See the top of this file. */
export function outbox(
	knex: Knex,
	{ contracts, table = "outbox", proves, clock = () => performance.now() }: OutboxOptions
): Outbox {
	const run = sharedRun(knex);
	const listeners = new Set<() => void>();
	let known: Promise<Proofs> | undefined;
	let readAtMs = 0;
	let isDoubted = false;
	const readKey = async (headers: readonly string[]) => {
		const [row] = await run({ sql: "select key from ??", bindings: [leaseTable(table)] });
		const { sign, isProven } = proofsWith(row!.key as string, headers);
		readAtMs = clock();
		isDoubted = false;
		return {
			sign,
			isProven(record: Parameters<Proofs["isProven"]>[0]) {
				const proven = isProven(record);
				if (!proven && hasProof(record)) isDoubted = true;
				return proven;
			}
		};
	};
	const proofs = () => {
		if (!proves) return Promise.reject(new Error(`outbox "${table}" signs no records: set its option \`proves\``));
		if (isDoubted && clock() - readAtMs >= KEY_REREAD_MS) {
			isDoubted = false;
			known = undefined;
		}
		known ??= readKey(proves).catch(error => {
			known = undefined;
			// Also before the migration has run: without the key no record can be checked.
			throw unavailable(`the key of ${table}`, error);
		});
		return known;
	};
	const notify = () => {
		for (const listener of listeners) listener();
	};
	/** A nested transaction resolves before the outer one commits: the relay then finds nothing, and finds the messages at its next poll. */
	const notifyAfter = (trx: Knex.Transaction) => trx.executionPromise.then(notify, () => {});
	const rowsOf = (entries: Entry[]) =>
		JSON.stringify(
			entries.map(({ topic, message, headers, requestID }) => encode(contracts, topic, message, { headers, requestID }))
		);

	return {
		run,
		knex,
		table,
		proofs,

		async add(trx, entries) {
			if (entries.length === 0) return;
			// The ids are assigned after the sort, so that they follow the order of the entries.
			await trx.raw(`insert into ?? (topic, key, value, headers) select topic, key, value, headers from ${ENTRIES} order by n`, [
				table,
				rowsOf(entries)
			]);
			notifyAfter(trx);
		},

		async addInStatement(entries, work, trx) {
			const done = await work(rowsOf(entries));
			if (entries.length === 0) return done;
			if (trx) notifyAfter(trx);
			else notify();
			return done;
		},

		onCommit(listener) {
			listeners.add(listener);
			return () => listeners.delete(listener);
		},

		async next(limit, sent = []) {
			const unsent = { sql: sent.length === 0 ? "" : "where id <> all(?::bigint[])", bindings: sent.length === 0 ? [] : [sent] };
			const rows = await run({
				sql: `select id::text, topic, key, value, headers from ?? as message ${unsent.sql} order by message.id limit ?`,
				bindings: [table, ...unsent.bindings, limit],
				also: sent.length === 0 ? undefined : { sql: "delete from ?? where id = any(?::bigint[])", bindings: [table, sent] }
			}).catch(error => {
				// Postgres may have been restored meanwhile, and have another key.
				isDoubted = true;
				throw error;
			});
			const sign = proves && rows.length > 0 ? (await proofs()).sign : (record: Outgoing) => record;
			return (rows as unknown as ({ id: string } & Outgoing)[]).map(({ id, ...record }) => ({ id, record: sign(record) }));
		},

		async ageMs() {
			const [row] = await run({
				sql: "select extract(epoch from clock_timestamp() - created_at) * 1000 as age_ms from ?? order by id limit 1",
				bindings: [table]
			});
			return Number(row?.age_ms ?? 0);
		}
	};
}
