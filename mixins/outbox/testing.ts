// What the tests of the outbox have in common.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Knex } from "knex";
import { ServiceBroker } from "moleculer";
import { z } from "zod";
import type { Outgoing, TopicLog } from "../topics/topic-log.ts";
import { type Lease, leaseOf } from "./lease.ts";
import { type Entry, type Outbox, outbox } from "./outbox.ts";
import { type RelayOptions, relay, startRelay } from "./relay.ts";
import { createOutbox, leaseTable } from "./schema.ts";

const contracts = {
	told: { message: z.object({ key: z.string(), n: z.int() }), key: (message: { key: string }) => message.key }
};
export const entry = (key: string, n: number): Entry => ({ topic: "told", message: { key, n } });
export const numbers = (records: Outgoing[]) => records.map(({ value }) => JSON.parse(String(value)).n as number);

export async function until(met: () => boolean | Promise<boolean>, what: string, withinMs = 20_000) {
	const deadline = performance.now() + withinMs;
	while (!(await met())) {
		assert.ok(performance.now() < deadline, `waited ${withinMs} ms for ${what}`);
		await delay(10);
	}
}

/** A log that keeps what it is given, unless the test has it behave otherwise. */
export function keptLog() {
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
/** So seldom that only a commit can be what woke the relay. */
export const SELDOM = { least: 3_600_000, most: 3_600_000 };
const OFTEN = { least: 5, most: 50 };

/** Outboxes, nodes and relays on one database. */
export function testbed(knex: () => Knex) {
	const running: { stop(): Promise<unknown> }[] = [];

	return {
		async fresh() {
			const table = `outbox_${randomUUID().replaceAll("-", "")}`;
			await createOutbox(knex(), table);
			return outbox(knex(), { contracts, table });
		},
		put: (box: Outbox, ...entries: Entry[]) => box.knex.transaction(trx => box.add(trx, entries)),
		isEmpty: async (box: Outbox) => (await box.next(1)).length === 0,
		/** As if a holder's time had passed by the database's clock. */
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

		/** Whatever a failed test has left running would keep the process for ever. */
		stopAll: () => Promise.all(running.splice(0).map(one => one.stop()))
	};
}

export type Testbed = ReturnType<typeof testbed>;
