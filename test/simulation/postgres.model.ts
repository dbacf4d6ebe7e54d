// Model of Postgres for writers and relays: transactions that lock rows and are atomic, and an outbox whose ids are assigned before
// the commit makes the rows visible.
import type { Knex } from "knex";
import { unavailable } from "../../mixins/errors.ts";
import type { Outbox, PendingMessage } from "../../mixins/outbox/outbox.ts";
import { proofsWith } from "../../mixins/outbox/proof.ts";
import type { Outgoing } from "../../mixins/topics/topic-log.ts";
import { purchaseOutbox } from "../../services/purchase/purchase.contract.ts";
import { updateRow } from "./expression.ts";
import { type Faults, type Server, serverNamed } from "./injected-faults.ts";
import { type Actor, currentActor, type Scheduler } from "./scheduler.ts";

export interface Transaction {
	/** Waits until no other transaction holds the lock. */
	lock(key: string): Promise<void>;
	/** Inserts records into the outbox and assigns their ids. */
	addToOutbox(records: Outgoing[]): void;
}

export interface ModelPostgres {
	server: Server;
	/** Runs `commit`, the effect that `work` returns, when the transaction commits. */
	transaction<T>(work: (trx: Transaction) => Promise<{ answer: T; commit: () => void }>): Promise<T>;
	/** The outbox, for one process. */
	outboxOf(actor: Actor): Outbox;
	/** Rolls back the transactions of a killed process. */
	rollback(actor: Actor): void;
	waiting(): number;
}

export function modelPostgres(scheduler: Scheduler, faults: Faults): ModelPostgres {
	const server = serverNamed("postgres", scheduler, faults);
	const rows = new Map<number, Outgoing>();
	const lease = { holder: "", fence: 0, until: Number.NEGATIVE_INFINITY };
	const proofs = proofsWith("the key of the outbox", purchaseOutbox.proves, scheduler.nowMs);
	const listeners = new Map<Actor, Set<() => void>>();
	const locks = new Map<string, { actor: Actor | undefined }>();
	let queue: (() => void)[] = [];
	let nextID = 1;

	const release = (isMine: (holder: { actor: Actor | undefined }) => boolean) => {
		for (const [key, holder] of locks) if (isMine(holder)) locks.delete(key);
		const waiting = queue;
		queue = [];
		for (const resume of waiting) resume();
	};

	const lockAs = (holder: { actor: Actor | undefined }) => async (key: string) => {
		while ((locks.get(key) ?? holder) !== holder) {
			await new Promise<void>(resolve => queue.push(resolve));
			await scheduler.step(`postgres lock ${key}`);
		}
		locks.set(key, holder);
	};

	const run: Outbox["run"] = ({ sql, bindings }) =>
		server.request(sql.includes("fence + 1") ? "take" : sql.includes("infinity") ? "release" : "renew", () =>
			updateRow(lease, sql, bindings, scheduler.nowMs())
		);

	return {
		server,

		async transaction(work) {
			const actor = currentActor();
			const holder = { actor };
			const added = new Map<number, Outgoing>();
			await scheduler.step("postgres begin");
			if (server.isUnavailable() || faults.shouldInject("refused")) throw unavailable("Postgres");
			try {
				const { answer, commit } = await work({
					lock: lockAs(holder),
					addToOutbox: records => {
						for (const record of records) added.set(nextID++, record);
					}
				});
				await server.request("commit", () => {
					commit();
					for (const [id, record] of added) rows.set(id, record);
					release(one => one === holder);
				});
				if (added.size > 0) for (const listener of listeners.get(actor!) ?? []) listener();
				return answer;
			} finally {
				release(one => one === holder);
			}
		},

		rollback(actor) {
			listeners.delete(actor);
			release(holder => holder.actor === actor);
		},

		outboxOf(actor) {
			const own = new Set<() => void>();
			listeners.set(actor, own);
			return {
				table: "outbox",
				run,
				// All that a relay needs of it is its identity.
				knex: {} as Knex,
				add: () => Promise.reject(new Error("the model does not support add")),
				addInStatement: () => Promise.reject(new Error("the model does not support add")),
				onCommit(listener) {
					own.add(listener);
					return () => own.delete(listener);
				},
				next: (limit, sent = []) =>
					server.request(`next ${sent}`, () => {
						for (const id of sent) rows.delete(Number(id));
						return [...rows]
							.sort(([one], [other]) => one - other)
							.slice(0, limit)
							.map(([id, record]): PendingMessage => ({ id: String(id), record: proofs.sign(record) }));
					}),
				proofs: async () => proofs,
				ageMs: async () => 0
			};
		},

		waiting: () => rows.size
	};
}
