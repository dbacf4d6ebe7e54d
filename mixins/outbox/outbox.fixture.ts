// Outboxes, nodes, relays and a log for the tests of the outbox.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import { ServiceBroker } from "moleculer";
import { z } from "zod";
import type { Outgoing, TopicLog } from "../topics/topic-log.ts";
import { type Lease, leaseOf } from "./lease.ts";
import { type Entry, type Outbox, outbox } from "./outbox.ts";
import { type RelayOptions, relay } from "./relay.ts";
import { startRelay } from "./relay-loop.ts";
import { addProofKey, createOutbox, leaseTable } from "./schema.ts";

export const contracts = {
	numbered: { message: z.object({ key: z.string(), n: z.int() }), key: (message: { key: string }) => message.key }
};
export const entry = (key: string, n: number): Entry => ({ topic: "numbered", message: { key, n } });
export const numbers = (records: Outgoing[]) => records.map(({ value }) => JSON.parse(String(value)).n as number);

export async function until(met: () => boolean | Promise<boolean>, what: string, withinMs = 20_000) {
	const deadline = performance.now() + withinMs;
	while (!(await met())) {
		assert.ok(performance.now() < deadline, `waited ${withinMs} ms for ${what}`);
		await delay(10);
	}
}

/** A log that records what is appended; `behave` runs before each append. */
export function recordingLog() {
	const log = {
		records: [] as Outgoing[],
		behave: async () => {},
		async append(appended: Outgoing[]) {
			await log.behave();
			log.records.push(...appended);
		}
	};
	return log;
}

type Log = Pick<TopicLog, "append">;
type Lines = Parameters<typeof startRelay>[3];
const quiet: Lines = { debug() {}, info() {}, warn() {} };
/** So long that only a commit can have woken the relay. */
export const HOURLY = { least: 3_600_000, most: 3_600_000 };
const OFTEN = { least: 5, most: 50 };

/** Outboxes, nodes and relays on one database. */
export function testbed(knex: () => Knex) {
	const running: { stop(): Promise<unknown> }[] = [];

	return {
		async fresh(proves?: readonly string[]) {
			const table = `outbox_${randomUUID().replaceAll("-", "")}`;
			await createOutbox(knex(), table);
			if (proves) await addProofKey(knex(), table);
			return outbox(knex(), { contracts, table, proves });
		},
		put: (box: Outbox, ...entries: Entry[]) => box.knex.transaction(trx => box.add(trx, entries)),
		isEmpty: async (box: Outbox) => (await box.next(1)).length === 0,
		/** As if the lease had expired by the database's clock. */
		expire: (box: Outbox) => box.knex(leaseTable(box.table)).update({ until: "-infinity" }),

		/** A node with a service that has this outbox. */
		async node(box: Outbox, log: Log, options: RelayOptions = {}) {
			const broker = new ServiceBroker({ nodeID: randomUUID(), logger: false, metrics: true });
			broker.createService({ name: "sender", mixins: [relay(box, log, { pollMs: OFTEN, ...options })] });
			await broker.start();
			let stopping: Promise<void> | undefined;
			const node = { broker, stop: () => (stopping ??= broker.stop()) };
			running.push(node);
			return node;
		},

		start(box: Outbox, log: Log, lease: Lease = leaseOf(box, "node"), logger = quiet) {
			const started = startRelay(box, log, lease, logger, OFTEN);
			running.push(started);
			return started;
		},

		/** What a failed test leaves running would keep the process alive. */
		stopAll: () => Promise.all(running.splice(0).map(one => one.stop()))
	};
}

export type Testbed = ReturnType<typeof testbed>;
