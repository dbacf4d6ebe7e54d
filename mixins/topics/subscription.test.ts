import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Errors, type Service, ServiceBroker } from "moleculer";
import { z } from "zod";
import { unavailable } from "../errors.ts";
import { updateMetrics } from "../metrics.ts";
import type { TopicsOptions } from "./options.ts";
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

/** A subscription, on a log that collects what is appended. */
function subscribe(
	handler: One | Whole,
	append: (records: Outgoing[]) => Promise<void> = async () => {},
	options: Partial<TopicsOptions> = {}
) {
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
	const { handle, problem } = subscription(service, log, { contracts, partitions: PARTITIONS, ...options });
	const METRICS = ["consumed", "applied", "duplicate", "dead", "parked"] as const;
	const metrics = async () => {
		await updateMetrics(broker);
		const value = (name: string) => (broker.metrics.getMetric(`topics.${name}`)!.snapshot()[0] as { value: number }).value;
		return Object.fromEntries(METRICS.map(name => [name, value(name)])) as Record<(typeof METRICS)[number], number>;
	};
	const run = (records: TopicRecord[], isCurrent = () => true, first = true) =>
		handle({ topic: "T", partition: 0, records, endOffset: records.at(-1)!.offset + 1, first, isCurrent });
	return { run, sent, metrics, problem };
}

describe("a subscription", () => {
	it("passes on valid messages and returns the next offset", async () => {
		const seen: unknown[] = [];
		const { run, metrics } = subscribe(async ({ message, requestID }) => void seen.push([message, requestID]));
		assert.equal(await run([record(7, { id: idA, n: 1, more: true }, { headers: { "request-id": "r1" } })]), 8);
		assert.deepEqual(seen, [[{ id: idA, n: 1 }, "r1"]]);
		assert.deepEqual(await metrics(), { consumed: 1, applied: 1, duplicate: 0, dead: 0, parked: 0 });
	});

	it("publishes unreadable records as dead letters, unchanged, with their place and the reason, and handles the rest", async () => {
		const seen: string[] = [];
		const { run, sent, metrics } = subscribe(async ({ message }) => void seen.push((message as { id: string }).id));
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
		assert.deepEqual(await metrics(), { consumed: 4, applied: 1, duplicate: 0, dead: 3, parked: 0 });
	});

	it("accepts text exactly as it was sent or dead-letters the record, with unchanged bytes", async () => {
		const bytes = Buffer.concat([Buffer.from(`{"id":"${idA}`), Buffer.from([0xff]), Buffer.from('"}')]);
		const refused = [
			record(0, "", { value: bytes }),
			record(1, `{"id":"${idA}\\ud800"}`),
			record(2, `{"id":"${idA}","more":{"\\udfff":1}}`),
			record(3, `{"id":"${idA}","more":{"__proto__":1}}`),
			record(4, `\ufeff{"id":"${idA}"}`)
		];
		const seen: unknown[] = [];
		const { run, sent } = subscribe(async ({ message }) => void seen.push(message));
		assert.equal(await run([...refused, record(5, `{"id":"${idA}","more":"\\ud83d\\ude00"}`)]), 6);
		assert.deepEqual(seen, [{ id: idA }]);
		assert.deepEqual(
			sent.map(({ headers }) => [headers?.["dead-offset"], headers?.["dead-type"], headers?.["dead-reason"]]),
			[
				["0", "UNREADABLE", "not UTF-8"],
				["1", "UNREADABLE", "id: must be well-formed Unicode"],
				["2", "UNREADABLE", "more.\ufffd: must have a name in well-formed Unicode"],
				["3", "UNREADABLE", "more.__proto__: is not an allowed name"],
				["4", "UNREADABLE", "not JSON"]
			]
		);
		assert.deepEqual(Buffer.from(sent[0]!.value), bytes);
	});

	it("does not commit past a dead letter that could not be published", async () => {
		const { run, problem } = subscribe(
			async () => {},
			() => Promise.reject(unavailable("Kafka"))
		);
		await assert.rejects(run([record(0, "{")]), { type: "UNAVAILABLE" });
		assert.match(problem()!, /the log is unavailable/);
	});

	it("publishes a dead letter without its value when it is too large even for its topic, and handles the rest", async () => {
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

	it("publishes a misrouted record to the partition of its key, with its first place in headers", async () => {
		const { run, sent, metrics } = subscribe(async () => assert.fail("a misrouted record was handled"));
		const misrouted = Array.from({ length: 100 }, (_, n) => `x-${n}`).find(id => partitionOf(id, PARTITIONS) !== 0)!;
		assert.equal(await run([record(9, { id: misrouted }, { key: null })]), 10);
		assert.deepEqual(
			sent.map(({ topic, key, headers }) => [topic, key, headers]),
			[["T", misrouted, { "origin-topic": "T", "origin-partition": "0", "origin-offset": "9" }]]
		);
		assert.deepEqual(await metrics(), { consumed: 0, applied: 0, duplicate: 0, dead: 0, parked: 0 });
	});

	it("waits at the message whose store is unavailable, names the store, and continues once it is back", async () => {
		let isUnavailable = true;
		const seen: unknown[] = [];
		const { run, problem, metrics } = subscribe(async ({ record: { offset } }) => {
			if (offset === 1 && isUnavailable) throw unavailable("Postgres");
			seen.push(offset);
		});
		const records = [record(0, { id: idA }), record(1, { id: idA }), record(2, { id: idA })];
		assert.equal(await run(records), 1);
		assert.equal(await run(records.slice(1), undefined, false), 1);
		assert.match(problem()!, /Postgres is unavailable/);
		assert.deepEqual(await metrics(), { consumed: 3, applied: 1, duplicate: 0, dead: 0, parked: 2 });
		isUnavailable = false;
		assert.equal(await run(records.slice(1), undefined, false), 3);
		assert.equal(problem(), undefined);
		assert.deepEqual(seen, [0, 1, 2]);
		assert.deepEqual(await metrics(), { consumed: 3, applied: 3, duplicate: 0, dead: 0, parked: 0 });
	});

	it("reports no problem of a partition that was reassigned, and counts its waiting messages as duplicates", async () => {
		const { run, problem, metrics } = subscribe(() => Promise.reject(unavailable("Postgres")));
		let isOurs = true;
		await run([record(0, { id: idA }), record(1, { id: idA })], () => isOurs);
		assert.match(problem()!, /Postgres is unavailable/);
		isOurs = false;
		assert.equal(problem(), undefined);
		assert.deepEqual(await metrics(), { consumed: 2, applied: 0, duplicate: 2, dead: 0, parked: 0 });
	});

	it("counts a message behind a waiting key as applied when it is handled, and as duplicate when it is delivered again", async () => {
		let isUnavailable = true;
		const seen = new Set<number>();
		const { run, metrics } = subscribe(async ({ message, record: { offset } }) => {
			if ((message as { id: string }).id === idA && isUnavailable) throw unavailable("Postgres");
			const duplicates = seen.has(offset) ? 1 : 0;
			seen.add(offset);
			return { duplicates };
		});
		// The message of the other key starts before the failure of the first is known.
		const records = [record(0, { id: idB }), record(1, { id: idA }), record(2, { id: idB })];
		await run(records);
		isUnavailable = false;
		assert.equal(await run(records.slice(1), undefined, false), 3);
		const { consumed, applied, duplicate, parked } = await metrics();
		assert.deepEqual([applied, parked], [3, 0]);
		assert.equal(consumed, applied + duplicate);
	});

	it("counts a message once when publishing its dead letter failed at first", async () => {
		let isUnavailable = true;
		const { run, metrics } = subscribe(
			async () => {},
			() => (isUnavailable ? Promise.reject(unavailable("Kafka")) : Promise.resolve())
		);
		await assert.rejects(run([record(0, "{")]));
		assert.deepEqual(await metrics(), { consumed: 1, applied: 0, duplicate: 0, dead: 0, parked: 1 });
		isUnavailable = false;
		await run([record(0, "{")], undefined, false);
		assert.deepEqual(await metrics(), { consumed: 1, applied: 0, duplicate: 0, dead: 1, parked: 0 });
	});

	it("skips messages replayed for another group, also unreadable ones", async () => {
		const { run, sent, metrics } = subscribe(async () => assert.fail("a message of another group was handled"));
		const headers = { "replay-group": "another" };
		assert.equal(await run([record(0, { id: idA }, { headers }), record(1, "{", { headers })]), 2);
		assert.deepEqual(sent, []);
		assert.deepEqual(await metrics(), { consumed: 2, applied: 0, duplicate: 2, dead: 0, parked: 0 });
	});

	it("keeps each key in order while a message of another key is slow", async () => {
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

	it("publishes a message that fails five times as a dead letter, and handles the next of its key", async () => {
		let attempts = 0;
		const seen: number[] = [];
		const { run, sent } = subscribe(async ({ record: { offset } }) => {
			if (offset === 0) {
				attempts++;
				throw new TypeError("cannot read properties of undefined");
			}
			seen.push(offset);
		});
		assert.equal(await run([record(0, { id: idA }), record(1, { id: idA })]), 2);
		assert.equal(attempts, 5);
		assert.deepEqual(seen, [1]);
		assert.deepEqual(
			[sent.length, sent[0]!.topic, sent[0]!.headers!["dead-reason"]],
			[1, "T.dead", "cannot read properties of undefined"]
		);
	});

	it("does not retry a client error", async () => {
		let attempts = 0;
		const { run, sent } = subscribe(async () => {
			attempts++;
			throw new Errors.MoleculerClientError("other amount", 409, "CONFLICT");
		});
		assert.equal(await run([record(0, { id: idA })]), 1);
		assert.deepEqual([attempts, sent[0]!.headers!["dead-type"]], [1, "CONFLICT"]);
	});

	it("finds the one message that makes a batch fail, and handles the others in order", async () => {
		const seen: number[] = [];
		const { run, sent, metrics } = subscribe({
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
		assert.deepEqual(await metrics(), { consumed: 8, applied: 4, duplicate: 3, dead: 1, parked: 0 });
	});

	it("marks the first batch that a handler gets of a newly assigned partition, also after records that it did not get", async () => {
		const firsts: boolean[] = [];
		let isUnavailable = true;
		const { run } = subscribe({
			batch: async ({ first }) => {
				firsts.push(first);
				if (isUnavailable) throw unavailable("Cassandra");
			}
		});
		const next = (records: TopicRecord[], first = false) => run(records, undefined, first);
		await next([record(0, "{")], true);
		await next([record(1, { id: idA })]);
		isUnavailable = false;
		await next([record(1, { id: idA })]);
		await next([record(2, { id: idA })]);
		assert.deepEqual(firsts, [true, true, false]);
	});

	it("neither retries nor publishes anything once the partition is reassigned", async () => {
		const { run, sent } = subscribe(async () => {
			throw new Error("late");
		});
		assert.equal(await run([record(3, { id: idA })], () => false), 3);
		assert.deepEqual(sent, []);
	});

	it("publishes a message as a dead letter, too, when its handler throws something that is no error", async () => {
		for (const thrown of ["text", undefined, null, 42]) {
			const { run, sent } = subscribe(() => Promise.reject(thrown), undefined, { attempts: 1 });
			assert.equal(await run([record(0, { id: idA })]), 1);
			assert.equal(sent[0]!.headers!["dead-reason"], String(thrown));
		}
	});

	it("tries a handler as often as the option `attempts` says", async () => {
		let attempts = 0;
		const fail = async () => {
			attempts++;
			throw new Error("broken");
		};
		const { run, sent } = subscribe(fail, undefined, { attempts: 2, group: "post" });
		assert.equal(await run([record(0, { id: idA })]), 1);
		assert.deepEqual([attempts, sent[0]!.headers!["dead-group"]], [2, "post"]);
	});

	it("waits, and publishes no dead letter, when the error of the handler hides that a server is unavailable", async () => {
		const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
		const { run, sent, problem } = subscribe(() => Promise.reject(new TypeError("fetch failed", { cause })));
		assert.equal(await run([record(4, { id: idA })]), 4);
		assert.deepEqual([sent, problem()], [[], "waiting: fetch failed"]);
	});

	it("waits for errors that the option `isUnavailable` recognizes", async () => {
		const quota = () => Promise.reject(new Error("quota exceeded"));
		const { run, sent } = subscribe(quota, undefined, { isUnavailable: ({ message }) => message === "quota exceeded" });
		assert.equal(await run([record(4, { id: idA })]), 4);
		assert.deepEqual(sent, []);
	});

	it("handles as many keys at once as the option `concurrency` says", async () => {
		let [running, most] = [0, 0];
		const handler = async () => {
			most = Math.max(most, ++running);
			await new Promise(setImmediate);
			running--;
		};
		const { run } = subscribe(handler, undefined, { concurrency: 3 });
		const records = idsOfPartition0.slice(0, 10).map((id, offset) => record(offset, { id }, { key: Buffer.from(id) }));
		assert.equal(await run(records), 10);
		assert.equal(most, 3);
	});

	describe("to a topic that every node reads", () => {
		const everyNode = (batch: Whole["batch"]) => ({ everyNode: true, batch, missed() {} }) as Whole;
		const seen: string[] = [];
		const collect = everyNode(async ({ received }) => void seen.push(...received.map(one => (one.message as { id: string }).id)));
		const elsewhere = Array.from({ length: 100 }, (_, n) => `id-${n}`).find(id => partitionOf(id, PARTITIONS) !== 0)!;

		it("handles what is readable on every node, and publishes a dead letter on one of them", async () => {
			seen.length = 0;
			const nodes = [true, false, false].map(isPublisher =>
				subscribe(collect, undefined, { publishesDeadLetters: (_, service) => isPublisher && service === "tester" })
			);
			for (const { run } of nodes) assert.equal(await run([record(0, "{"), record(1, { id: idA })]), 2);
			assert.deepEqual(seen, [idA, idA, idA]);
			assert.deepEqual(
				nodes.map(({ sent }) => sent.map(({ headers }) => headers?.["dead-offset"])),
				[["0"], [], []]
			);
			for (const { metrics } of nodes)
				assert.deepEqual(await metrics(), { consumed: 2, applied: 1, duplicate: 0, dead: 1, parked: 0 });
		});

		it("does not continue while the dead letter cannot be published", async () => {
			let isAway = true;
			const append = async () => {
				if (isAway) throw unavailable("the log");
			};
			const { run, sent } = subscribe(collect, append, { publishesDeadLetters: () => true });
			await assert.rejects(run([record(0, "{")]), { type: "UNAVAILABLE" });
			isAway = false;
			assert.equal(await run([record(0, "{")]), 1);
			assert.equal(sent.length, 1);
		});

		it("handles a record in another partition than its key's where it is, and not the copy that a group moves", async () => {
			seen.length = 0;
			const { run, sent } = subscribe(collect);
			const place = { "origin-topic": "T", "origin-partition": "3", "origin-offset": "0" };
			await run([record(0, { id: elsewhere }), record(1, { id: idA }, { headers: place }), record(2, { id: idB })]);
			assert.deepEqual([seen, sent], [[elsewhere, idB], []]);
		});

		it("handles a replayed dead letter of its own, and none of another group", async () => {
			seen.length = 0;
			const { run } = subscribe(collect);
			const replayed = { "origin-topic": "T", "origin-partition": "0", "origin-offset": "0", replays: "1" };
			const of = (offset: number, id: string, group: string) =>
				record(offset, { id }, { headers: { ...replayed, "replay-group": group } });
			await run([of(1, idA, "tester"), of(2, idB, "another")]);
			assert.deepEqual(seen, [idA]);
		});
	});
});
