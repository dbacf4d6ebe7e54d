// Dead letters and their replay, on a given topic log.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { Errors, ServiceBroker, type ServiceSchema } from "moleculer";
import { z } from "zod";
import { ContractValidator } from "../../contract/validator.ts";
import { updateMetrics } from "../../mixins/metrics.ts";
import { deadTopic } from "../../mixins/topics/dead-letter.ts";
import type { Received } from "../../mixins/topics/handler-types.ts";
import type { Outgoing, TopicLog, TopicRecord } from "../../mixins/topics/topic-log.ts";
import { topics } from "../../mixins/topics/topics.ts";
import { eventually, fresh } from "../../test/client.ts";
import type { Arguments } from "./deadletters.arguments.ts";
import { actions } from "./deadletters.contract.ts";
import { deadletters } from "./deadletters.ts";
import { type Call, list, replay, show } from "./deadletters.verbs.ts";

const PARTITIONS = 3;

export const deadlettersSuite = (name: string, open: () => Promise<{ log: TopicLog; close(): Promise<void> }>) =>
	describe(name, () => {
		let opened: Awaited<ReturnType<typeof open>>;
		const brokers: ServiceBroker[] = [];
		before(async () => {
			opened = await open();
		});
		afterEach(() => Promise.all(brokers.splice(0).map(broker => broker.stop())));
		after(() => opened?.close());

		/** A topic with two consuming services, one of which fails while `world.isBroken`, and the verbs of the command. */
		async function setUp() {
			const log = { ...opened.log, close: async () => {} };
			const topic = fresh("bought");
			const contracts = { [topic]: { message: z.object({ id: z.string() }), key: ({ id }: { id: string }) => id } };
			const world = { isBroken: true, isKilledBeforeMarks: false };
			const counted: string[] = [];
			const records: TopicRecord[] = [];
			const seen: string[] = [];
			const broker = new ServiceBroker({
				nodeID: fresh("node"),
				logger: false,
				metrics: true,
				validator: new ContractValidator(actions)
			});
			brokers.push(broker);
			const [faulty, other] = [fresh("faulty"), fresh("other")];
			const serve = (service: string, handler: (received: Received<{ id: string }>) => Promise<unknown>) =>
				broker.createService({
					name: service,
					mixins: [topics(log, { contracts, partitions: PARTITIONS })],
					topics: { [topic]: handler }
				} as unknown as ServiceSchema);
			serve(faulty, async ({ message: { id }, record }) => {
				if (world.isBroken) throw new Errors.MoleculerClientError(`cannot do ${id}`, 409, "CONFLICT");
				records.push(record);
				if (counted.includes(id)) return { duplicates: 1 };
				counted.push(id);
				return { duplicates: 0 };
			});
			serve(other, async ({ message: { id } }) => void seen.push(id));
			const marking = {
				...log,
				// Simulates a process that dies between publishing a letter and marking it.
				append: async (outgoing: Outgoing[]) => {
					if (world.isKilledBeforeMarks && outgoing.some(({ headers }) => headers?.["replayed-offset"]))
						throw new Error("killed");
					await log.append(outgoing);
				}
			};
			broker.createService(deadletters(marking, []));
			await broker.start();
			await eventually(() => log.ends(deadTopic(topic)), "the topic");

			const call = ((action: string, params: object) => broker.call(action, params)) as unknown as Call;
			const run = (verb: "list" | "show" | "replay", more: Partial<Arguments> = {}) => {
				const request = { verb, topics: [topic], selection: {}, limit: 50, again: false, unreadable: false, json: true, ...more };
				return { list, show, replay }[verb](call, request).then(text => (request.json ? JSON.parse(text) : text));
			};
			const sum = (numbers: number[]) => numbers.reduce((all, one) => all + Math.max(one, 0), 0);
			const quiet = () =>
				eventually(async () => {
					for (const group of [faulty, other])
						assert.equal(sum(await log.committed(group, topic)), sum(await log.ends(topic)), group);
				}, "all to be handled");
			const put = (...ids: string[]) =>
				log.append(ids.map(id => ({ topic, key: id, value: JSON.stringify({ id, more: 1 }), headers: { "request-id": "r-1" } })));
			return { log, topic, world, counted, records, seen, faulty, other, broker, run, quiet, put };
		}

		it("are replayed with the same key, bytes and ids after the cause is fixed, count once, and only for the service that failed", async () => {
			const { log, topic, world, counted, records, seen, faulty, run, quiet, put, broker } = await setUp();
			const ids = Array.from({ length: 250 }, () => fresh());
			await put(...ids);
			await quiet();
			assert.deepEqual([counted.length, seen.length], [0, 250]);
			const [listed] = await run("list");
			assert.equal(listed.letters, 250);
			assert.deepEqual([listed.reasons[0].group, listed.reasons[0].type, listed.reasons[0].letters], [faulty, "CONFLICT", 1]);

			world.isBroken = false;
			assert.equal((await run("replay")).replayed, 250);
			assert.deepEqual((await run("replay")).stay, { replayed: 250, again: 0, unreadable: 0, lost: 0 });
			await quiet();
			assert.deepEqual(counted.toSorted(), ids.toSorted());
			assert.equal(records.length, 250);
			assert.equal(seen.length, 250, "another group handled them a second time");
			for (const { key, value, headers } of records) {
				assert.deepEqual(JSON.parse(String(value)), { id: String(key), more: 1 });
				assert.deepEqual([headers["request-id"], headers.replays, headers["origin-topic"]], ["r-1", "1", topic]);
				assert.ok(!Object.keys(headers).some(name => name.startsWith("dead-")), Object.keys(headers).join());
			}
			const [after] = await run("list");
			assert.deepEqual([after.letters, after.replayed], [0, 250]);
			await updateMetrics(broker);
			for (const one of [faulty, "other"]) {
				const value = (metric: string) =>
					(
						broker.metrics.getMetric(`topics.${metric}`)!.snapshot() as unknown as {
							value: number;
							labels: { group: string };
						}[]
					).find(({ labels }) => labels.group.startsWith(one))!.value;
				assert.equal(value("consumed"), 500);
				assert.equal(value("consumed"), value("applied") + value("duplicate") + value("dead") + value("parked"));
			}
			assert.equal(
				(await log.ends(deadTopic(topic))).reduce((all, one) => all + one),
				500,
				"250 letters and as many marks"
			);
		});

		it("are not replayed in a loop: a letter that failed again is kept, unless --again is given", async () => {
			const { world, counted, run, quiet, put } = await setUp();
			const id = fresh();
			await put(id);
			await quiet();
			assert.equal((await run("replay")).replayed, 1);
			await quiet();
			for (let n = 0; n < 3; n++) {
				const { replayed, stay } = await run("replay");
				assert.deepEqual([replayed, stay.again, stay.replayed], [0, 1, 1]);
			}
			const [, second] = await run("show");
			assert.deepEqual([second.key, second.replays, second.isReplayed], [id, 1, false]);
			world.isBroken = false;
			assert.equal((await run("replay", { again: true })).replayed, 1);
			assert.equal((await run("replay", { again: true })).replayed, 0);
			await quiet();
			assert.deepEqual(counted, [id]);
		});

		it("are kept when unreadable, unless --unreadable is given, and are then replayed for each group that failed", async () => {
			const { log, topic, run, quiet, faulty, other } = await setUp();
			const poison = Buffer.from([0xff, 0x00, 0x7b]);
			await log.append([{ topic, key: null, value: poison, partition: 1 }]);
			await quiet();
			const { replayed, stay } = await run("replay");
			assert.deepEqual([replayed, stay.unreadable], [0, 2]);
			assert.match(await run("replay", { json: false }), /2 not replayed: unreadable.*--unreadable/);
			assert.equal((await run("replay", { unreadable: true })).replayed, 2);
			await quiet();
			const back = await log.read(topic, 1, 1, 10);
			assert.deepEqual(back.map(({ headers }) => headers["replay-group"]).sort(), [faulty, other].sort());
			for (const { key, value, headers } of back) {
				assert.deepEqual([key, value], [null, poison]);
				assert.deepEqual([headers["origin-partition"], headers["origin-offset"]], ["1", "0"]);
			}
			// Each was dead-lettered again by its own group only.
			assert.equal((await run("show")).length, 4);
		});

		it("can be selected by key and by position", async () => {
			const { world, counted, run, quiet, put } = await setUp();
			const [one, two, three] = [fresh(), fresh(), fresh()];
			await put(one, two, three);
			await quiet();
			world.isBroken = false;
			assert.deepEqual(
				(await run("show", { selection: { key: two } })).map(({ key }: { key: string }) => key),
				[two]
			);
			assert.equal((await run("replay", { selection: { key: two } })).replayed, 1);
			const [{ partition, offset }] = await run("show", { selection: { key: three } });
			assert.equal((await run("replay", { selection: { partition, offset } })).replayed, 1);
			assert.equal((await run("replay", { selection: { key: fresh() } })).replayed, 0);
			await quiet();
			assert.deepEqual(counted.toSorted(), [two, three].toSorted());
			assert.equal((await run("replay")).replayed, 1);
			await quiet();
			assert.equal(counted.length, 3);
		});

		it("are replayed again if the process died before it had marked them, and still count once", async () => {
			const { world, counted, records, run, quiet, put } = await setUp();
			const ids = [fresh(), fresh(), fresh()];
			await put(...ids);
			await quiet();
			world.isBroken = false;
			world.isKilledBeforeMarks = true;
			await assert.rejects(run("replay"), /killed/);
			world.isKilledBeforeMarks = false;
			assert.equal((await run("replay")).replayed, 3);
			assert.equal((await run("replay")).replayed, 0);
			await quiet();
			assert.ok(records.length > 3);
			assert.deepEqual(counted.toSorted(), ids.toSorted());
		});

		it("are distinguished from other records in the topic; a topic without letters is empty", async () => {
			const { log, topic, run, put, quiet } = await setUp();
			assert.deepEqual(await run("show"), []);
			assert.deepEqual(await run("list", { topics: [fresh("never")] }).then(([one]) => one.letters), 0);
			await log.append([
				{ topic: deadTopic(topic), key: "x", value: "by hand" },
				{
					topic: deadTopic(topic),
					key: "x",
					value: "forged",
					headers: { "dead-topic": "another", "dead-group": "g", "dead-offset": "0" }
				}
			]);
			await put(fresh());
			await quiet();
			const { replayed, stay } = await run("replay");
			assert.deepEqual([replayed, stay.replayed], [1, 0]);
			assert.match(
				await run("show", { json: false, limit: 1 }),
				/dead-lettered it: CONFLICT, cannot do .*\n\tcame from .*; replayed\n/
			);
		});
	});
