import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Errors, type Service, ServiceBroker } from "moleculer";
import { z } from "zod";
import { unavailable } from "../errors.ts";
import { updateMetrics } from "../metrics.ts";
import { partitionOf } from "./partition.ts";
import { type One, subscription, type Whole } from "./subscription.ts";
import type { Outgoing, TopicLog, TopicRecord } from "./topic-log.ts";

const PARTITIONS = 4;
const contracts = { T: { message: z.object({ id: z.string(), n: z.int().optional() }), key: ({ id }: { id: string }) => id } };
const idsOfPartition0 = Array.from({ length: 100 }, (_, n) => `id-${n}`).filter(id => partitionOf(id, PARTITIONS) === 0);
const [idA, idB] = idsOfPartition0 as [string, string];

const record = (offset: number, value: unknown, more: Partial<TopicRecord> = {}): TopicRecord => ({
	topic: "T",
	partition: 0,
	offset,
	key: Buffer.from(idA),
	value: value === null ? null : Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
	headers: {},
	timestampMs: 0,
	...more
});

/** A subscription with a log that keeps what is put on it. */
function subscribe(handler: One | Whole, append: (records: Outgoing[]) => Promise<void> = async () => {}) {
	const broker = new ServiceBroker({ logger: false, metrics: true });
	const sent: Outgoing[] = [];
	const log = {
		append: async (records: Outgoing[]) => {
			await append(records);
			sent.push(...records);
		}
	} as unknown as TopicLog;
	const service = {
		broker,
		logger: broker.getLogger("test"),
		name: "tester",
		schema: { topics: { T: handler } }
	} as unknown as Service;
	const { handle, problem } = subscription(service, log, { contracts, partitions: PARTITIONS });
	const FIGURES = ["consumed", "applied", "duplicate", "dead", "parked"] as const;
	const figures = async () => {
		await updateMetrics(broker);
		const value = (name: string) => (broker.metrics.getMetric(`topics.${name}`)!.snapshot()[0] as { value: number }).value;
		return Object.fromEntries(FIGURES.map(name => [name, value(name)])) as Record<(typeof FIGURES)[number], number>;
	};
	const run = (records: TopicRecord[], isCurrent = () => true, first = true) =>
		handle({ topic: "T", partition: 0, records, endOffset: records.at(-1)!.offset + 1, first, isCurrent });
	return { run, sent, figures, problem };
}

describe("a subscription", () => {
	it("hands over what the contract lets through and answers where to go on", async () => {
		const seen: unknown[] = [];
		const { run, figures } = subscribe(async ({ message, requestID }) => void seen.push([message, requestID]));
		assert.equal(await run([record(7, { id: idA, n: 1, more: true }, { headers: { "request-id": "r1" } })]), 8);
		assert.deepEqual(seen, [[{ id: idA, n: 1 }, "r1"]]);
		assert.deepEqual(await figures(), { consumed: 1, applied: 1, duplicate: 0, dead: 0, parked: 0 });
	});

	it("lays aside what cannot be read, to the byte and with where from and why, and the rest flows on", async () => {
		const seen: string[] = [];
		const { run, sent, figures } = subscribe(async ({ message }) => void seen.push((message as { id: string }).id));
		const records = [record(0, "{"), record(1, { id: 5 }), record(2, null), record(3, { id: idA }, { headers: { mine: "ü" } })];
		assert.equal(await run(records), 4);
		assert.deepEqual(seen, [idA]);
		assert.deepEqual(
			sent.map(({ topic, value, headers }) => [
				topic,
				String(value),
				headers?.["dead-offset"],
				headers?.["dead-type"],
				headers?.["dead-group"]
			]),
			[
				["T.dead", "{", "0", "UNREADABLE", "tester"],
				["T.dead", '{"id":5}', "1", "UNREADABLE", "tester"],
				["T.dead", "", "2", "UNREADABLE", "tester"]
			]
		);
		assert.match(sent[1]!.headers!["dead-reason"]!, /id/);
		assert.deepEqual(await figures(), { consumed: 4, applied: 1, duplicate: 0, dead: 3, parked: 0 });
	});

	it("does not move past a dead letter that could not be laid aside", async () => {
		const { run, problem } = subscribe(
			async () => {},
			() => Promise.reject(unavailable("Kafka"))
		);
		await assert.rejects(run([record(0, "{")]), { type: "UNAVAILABLE" });
		assert.match(problem()!, /the log is unavailable/);
	});

	it("lays aside what is left of a record that is too large even for its dead letters, and the rest flows on", async () => {
		const seen: unknown[] = [];
		const { run, sent } = subscribe(
			async ({ record: { offset } }) => void seen.push(offset),
			async records => {
				if (records.some(({ value }) => value.length > 1_000))
					throw new Errors.MoleculerClientError("too large", 413, "RECORD_TOO_LARGE");
			}
		);
		assert.equal(await run([record(0, "{"), record(1, "x".repeat(2_000)), record(2, { id: idA })]), 3);
		assert.deepEqual(seen, [2]);
		assert.deepEqual(
			sent.map(({ value, headers }) => [String(value), headers?.["dead-offset"], headers?.["dead-type"]]),
			[
				["{", "0", "UNREADABLE"],
				["", "1", "RECORD_TOO_LARGE"]
			]
		);
	});

	it("sends a record on that lies off its key's partition, and remembers where it first lay", async () => {
		const { run, sent, figures } = subscribe(async () => assert.fail("handled off its partition"));
		const strange = Array.from({ length: 100 }, (_, n) => `x-${n}`).find(id => partitionOf(id, PARTITIONS) !== 0)!;
		assert.equal(await run([record(9, { id: strange }, { key: null })]), 10);
		assert.deepEqual(
			sent.map(({ topic, key, headers }) => [topic, key, headers]),
			[["T", strange, { "origin-topic": "T", "origin-partition": "0", "origin-offset": "9" }]]
		);
		assert.deepEqual(await figures(), { consumed: 0, applied: 0, duplicate: 0, dead: 0, parked: 0 });
	});

	it("waits at the message whose store is unavailable, names it, and goes on once it is back", async () => {
		let isAway = true;
		const seen: unknown[] = [];
		const { run, problem, figures } = subscribe(async ({ record: { offset } }) => {
			if (offset === 1 && isAway) throw unavailable("Postgres");
			seen.push(offset);
		});
		const records = [record(0, { id: idA }), record(1, { id: idA }), record(2, { id: idA })];
		assert.equal(await run(records), 1);
		assert.equal(await run(records.slice(1), undefined, false), 1);
		assert.match(problem()!, /Postgres is unavailable/);
		assert.deepEqual(await figures(), { consumed: 3, applied: 1, duplicate: 0, dead: 0, parked: 2 });
		isAway = false;
		assert.equal(await run(records.slice(1), undefined, false), 3);
		assert.equal(problem(), undefined);
		assert.deepEqual(seen, [0, 1, 2]);
		assert.deepEqual(await figures(), { consumed: 3, applied: 3, duplicate: 0, dead: 0, parked: 0 });
	});

	it("says nothing of what a partition waits for that has gone to another owner, and counts that as read in vain", async () => {
		const { run, problem, figures } = subscribe(() => Promise.reject(unavailable("Postgres")));
		let isOurs = true;
		await run([record(0, { id: idA }), record(1, { id: idA })], () => isOurs);
		assert.match(problem()!, /Postgres is unavailable/);
		isOurs = false;
		assert.equal(problem(), undefined);
		assert.deepEqual(await figures(), { consumed: 2, applied: 0, duplicate: 2, dead: 0, parked: 0 });
	});

	it("counts what it handled behind a key that waits when it was handled, and when it comes again as read again", async () => {
		let isAway = true;
		const seen = new Set<number>();
		const { run, figures } = subscribe(async ({ message, record: { offset } }) => {
			if ((message as { id: string }).id === idA && isAway) throw unavailable("Postgres");
			const duplicates = seen.has(offset) ? 1 : 0;
			seen.add(offset);
			return { duplicates };
		});
		// The other key's turn comes before the first one's failure is known.
		const records = [record(0, { id: idB }), record(1, { id: idA }), record(2, { id: idB })];
		await run(records);
		isAway = false;
		assert.equal(await run(records.slice(1), undefined, false), 3);
		const { consumed, applied, duplicate, parked } = await figures();
		assert.deepEqual([applied, parked], [3, 0]);
		assert.equal(consumed, applied + duplicate);
	});

	it("counts a message once whose dead letter could not be laid aside at first", async () => {
		let isAway = true;
		const { run, figures } = subscribe(
			async () => {},
			() => (isAway ? Promise.reject(unavailable("Kafka")) : Promise.resolve())
		);
		await assert.rejects(run([record(0, "{")]));
		assert.deepEqual(await figures(), { consumed: 1, applied: 0, duplicate: 0, dead: 0, parked: 1 });
		isAway = false;
		await run([record(0, "{")], undefined, false);
		assert.deepEqual(await figures(), { consumed: 1, applied: 0, duplicate: 0, dead: 1, parked: 0 });
	});

	it("passes over what was put back for another group, even where it could not read it", async () => {
		const { run, sent, figures } = subscribe(async () => assert.fail("handled for another"));
		const headers = { "replay-group": "another" };
		assert.equal(await run([record(0, { id: idA }, { headers }), record(1, "{", { headers })]), 2);
		assert.deepEqual(sent, []);
		assert.deepEqual(await figures(), { consumed: 2, applied: 0, duplicate: 2, dead: 0, parked: 0 });
	});

	it("keeps one key in order while another one's message is slow", async () => {
		const seen: string[] = [];
		const slow = Promise.withResolvers<void>();
		const { run } = subscribe(async ({ message, record: { offset } }) => {
			const { id } = message as { id: string };
			if (offset === 0) await slow.promise;
			seen.push(`${id === idA ? "A" : "B"}${offset}`);
			if (id === idB) slow.resolve();
		});
		const of = (offset: number, id: string) => record(offset, { id }, { key: Buffer.from(id) });
		assert.equal(await run([of(0, idA), of(1, idA), of(2, idB)]), 3);
		assert.deepEqual(seen, ["B2", "A0", "A1"]);
	});

	it("gives up a message that fails five times and handles the next of its key", async () => {
		let tries = 0;
		const seen: number[] = [];
		const { run, sent } = subscribe(async ({ record: { offset } }) => {
			if (offset === 0) {
				tries++;
				throw new TypeError("cannot read properties of undefined");
			}
			seen.push(offset);
		});
		assert.equal(await run([record(0, { id: idA }), record(1, { id: idA })]), 2);
		assert.equal(tries, 5);
		assert.deepEqual(seen, [1]);
		assert.deepEqual(
			[sent.length, sent[0]!.topic, sent[0]!.headers!["dead-reason"]],
			[1, "T.dead", "cannot read properties of undefined"]
		);
	});

	it("believes a refusal at once", async () => {
		let tries = 0;
		const { run, sent } = subscribe(async () => {
			tries++;
			throw new Errors.MoleculerClientError("other amount", 409, "CONFLICT");
		});
		assert.equal(await run([record(0, { id: idA })]), 1);
		assert.deepEqual([tries, sent[0]!.headers!["dead-type"]], [1, "CONFLICT"]);
	});

	it("finds the one message that poisons a batch, and the others are handled in order", async () => {
		const seen: number[] = [];
		const { run, sent, figures } = subscribe({
			batch: async ({ received }) => {
				if (received.some(({ record: { offset } }) => offset === 5))
					throw new Errors.MoleculerClientError("bad", 422, "VALIDATION_ERROR");
				seen.push(...received.map(({ record: { offset } }) => offset));
				return { duplicates: 1 };
			}
		});
		const records = Array.from({ length: 8 }, (_, offset) => record(offset, { id: idA }));
		assert.equal(await run(records), 8);
		assert.deepEqual(seen, [0, 1, 2, 3, 4, 6, 7]);
		assert.equal(sent[0]!.headers!["dead-offset"], "5");
		// Three parts of the batch were handled in the end: 0 to 3, 4, and 6 with 7.
		assert.deepEqual(await figures(), { consumed: 8, applied: 4, duplicate: 3, dead: 1, parked: 0 });
	});

	it("tells a handler that the partition is new to it with the first batch it is handed, whatever was laid aside before", async () => {
		const firsts: boolean[] = [];
		let isAway = true;
		const { run } = subscribe({
			batch: async ({ first }) => {
				firsts.push(first);
				if (isAway) throw unavailable("Cassandra");
			}
		});
		const next = (records: TopicRecord[], first = false) => run(records, undefined, first);
		await next([record(0, "{")], true);
		await next([record(1, { id: idA })]);
		isAway = false;
		await next([record(1, { id: idA })]);
		await next([record(2, { id: idA })]);
		assert.deepEqual(firsts, [true, true, false]);
	});

	it("leaves a batch alone once the partition is somebody else's", async () => {
		const { run, sent } = subscribe(async () => {
			throw new Error("late");
		});
		assert.equal(await run([record(3, { id: idA })], () => false), 3);
		assert.deepEqual(sent, []);
	});
});
