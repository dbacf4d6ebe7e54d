// The log during outages of Kafka, and of members of a group.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, it, mock } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually, fresh } from "../../../test/client.ts";
import { numbered, topicOn } from "../topic-log.fixture.ts";
import type { BatchHandler, Consumer, TopicLog } from "../topic-log.ts";
import { type KafkaServer, kafkaServer } from "./kafka.fixture.ts";
import { kafkaLog } from "./kafka-log.ts";

const UNAVAILABLE = { type: "UNAVAILABLE", code: 503 };
/** A busy machine may take this long to bring Kafka and its groups back. */
const RECOVERY_MS = 90_000;

describe("the log on Kafka, during failures", () => {
	let server: KafkaServer;
	let log: TopicLog;
	const lines: string[] = [];
	const members: Consumer[] = [];
	before(async () => {
		server = await kafkaServer();
		const logger = { debug() {}, info: (line: string) => lines.push(line), warn: (line: string) => lines.push(line) };
		log = kafkaLog({ brokers: server.brokers, clientId: "test", replication: 1, logger });
	});
	afterEach(() => Promise.all(members.splice(0).map(member => member.stop())));
	after(async () => {
		await Promise.allSettled([log?.close()]);
		await server?.remove();
	});

	const memberOf = async (topic: string, group: string, handler: BatchHandler) => {
		const member = await log.consume({ group, topics: [topic], handler });
		members.push(member);
		return member;
	};

	/** Appends continuously; `stop` resolves with the values that were acknowledged. */
	const startLoad = (topic: string) => {
		const acknowledged: string[] = [];
		let isOn = true;
		let rejections = 0;
		const write = async (writer: number) => {
			for (let n = 0; isOn; n++) {
				const value = `${writer}:${n}`;
				await log.append([{ topic, key: `${writer}`, value }]).then(
					() => acknowledged.push(value),
					error => {
						assert.equal(error.type, "UNAVAILABLE");
						rejections++;
					}
				);
				await delay(5);
			}
		};
		const writers = Promise.all([1, 2, 3, 4, 5, 6].map(write));
		return {
			acknowledged,
			rejections: () => rejections,
			async stop() {
				isOn = false;
				await writers;
				return acknowledged;
			}
		};
	};

	/** Two members under load: whatever `fault` does, every acknowledged record is handled, and both members continue. */
	const survives = async (fault: (load: ReturnType<typeof startLoad>, member: Consumer) => Promise<void>) => {
		const [topic, group, handled] = [await topicOn(log, 6), fresh("group"), new Set<string>()];
		const handler: BatchHandler = async ({ records }) => {
			for (const { value } of records) handled.add(String(value));
			return records.at(-1)!.offset + 1;
		};
		const both = [await memberOf(topic, group, handler), await memberOf(topic, group, handler)];
		const load = startLoad(topic);
		await eventually(() => assert.ok(handled.size > 50), "the load to be handled");
		await fault(load, both[0]!);
		const [stored, seen] = [load.acknowledged.length, handled.size];
		await eventually(() => assert.ok(load.acknowledged.length > stored + 50), "appends to succeed again", RECOVERY_MS);
		await eventually(() => assert.ok(handled.size > seen + 50), "records to be handled again", RECOVERY_MS);
		const acknowledged = await load.stop();
		await eventually(
			() =>
				assert.deepEqual(
					acknowledged.filter(value => !handled.has(value)),
					[]
				),
			"everything acknowledged",
			RECOVERY_MS
		);
		await eventually(
			() =>
				assert.deepEqual(
					both.map(member => member.problem()),
					[undefined, undefined]
				),
			"no problem"
		);
	};

	it("loses no acknowledged record and recovers, when Kafka is killed under load and restarted", () =>
		survives(async () => {
			await server.kill();
			await server.start();
		}));

	it("loses no acknowledged record for a reader without a group, which missed nothing, when Kafka is killed and restarted", async () => {
		const [topic, seen, missed, name] = [await topicOn(log, 6), new Set<string>(), [] as string[], fresh("reader")];
		const tail = await log.tail({
			name,
			topics: [topic],
			async handler({ records }) {
				for (const { value } of records) seen.add(String(value));
				return records.at(-1)!.offset + 1;
			},
			onMissed: missedTopic => void missed.push(missedTopic)
		});
		members.push(tail);
		await tail.positioned;
		const load = startLoad(topic);
		await eventually(() => assert.ok(seen.size > 50), "the load to be read");
		await server.kill();
		await eventually(
			() => assert.match(tail.problem() ?? "", new RegExp(`^reader "${name}" has not read for \\d+ s: `)),
			"the reader to say what is wrong",
			RECOVERY_MS
		);
		await server.start();
		const stored = load.acknowledged.length;
		await eventually(() => assert.ok(load.acknowledged.length > stored + 50), "appends to succeed again", RECOVERY_MS);
		const acknowledged = await load.stop();
		const unread = () => acknowledged.filter(value => !seen.has(value));
		await eventually(() => assert.deepEqual(unread(), []), "everything acknowledged", RECOVERY_MS);
		await eventually(() => assert.equal(tail.problem(), undefined), "no problem");
		assert.deepEqual(missed, []);
		const logged = () => lines.filter(line => line.startsWith(`reader "${name}"`));
		assert.match(logged()[0] ?? "", new RegExp(`^reader "${name}" cannot read ${topic} \\(.*\\); retrying$`));
		await eventually(() => assert.equal(logged().at(-1), `reader "${name}" continues`), "the recovery to be logged");
	});

	it("rejects what it cannot store, says what is wrong, and recovers after an outage longer than any timeout", () =>
		survives(async (load, member) => {
			await server.kill();
			await eventually(() => assert.ok(load.rejections() >= 12), "every writer to be rejected twice");
			await eventually(
				() => assert.match(member.problem() ?? "", /no assignment for \d\d s: .*ECONNREFUSED/),
				"the member to report it"
			);
			await assert.rejects(log.check(), ({ type, message }) => type === "UNAVAILABLE" && message.includes(server.brokers[0]));
			await assert.rejects(log.ends("any"), UNAVAILABLE);
			await assert.rejects(log.create([]), UNAVAILABLE);
			await server.start();
		}));

	it("recovers when Kafka was suspended, connected and silent", () =>
		survives(async load => {
			server.signal("SIGSTOP");
			await eventually(() => assert.ok(load.rejections() > 0), "a writer to be rejected");
			server.signal("SIGCONT");
		}));

	it("opens new connections when its own are dead without a close, and Kafka is well", async () => {
		await survives(async load => {
			const port = Number(server.brokers[0]!.split(":")[1]);
			const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
			const dead = new Set(handles.filter(one => one instanceof Socket && one.remotePort === port) as Socket[]);
			assert.ok(dead.size > 1, `${dead.size} connections`);
			const { write } = Socket.prototype;
			mock.method(Socket.prototype, "write", function (this: Socket, ...all: Parameters<typeof write>) {
				return dead.has(this) || write.apply(this, all);
			});
			for (const socket of dead) socket.pause();
			await eventually(() => assert.ok(load.rejections() > 0), "a writer to be rejected");
		}).finally(() => mock.restoreAll());
		// The first admin request on a dead connection times out and replaces it.
		await eventually(() => log.check(), "admin requests to be answered", RECOVERY_MS);
	});

	it("reassigns the partitions of a member that was killed", async () => {
		const [topic, group, handled] = [await topicOn(log, 2), fresh("group"), new Set<string>()];
		const code = `
			import { kafkaLog } from ${JSON.stringify(join(import.meta.dirname, "kafka-log.ts"))};
			const log = kafkaLog({ brokers: ${JSON.stringify(server.brokers)}, clientId: "doomed", replication: 1 });
			await log.consume({ group: "${group}", topics: ["${topic}"], handler: async ({ records }) => {
				console.log("handled");
				return records.at(-1).offset + 1;
			} });`;
		const doomed = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
		await log.append([0, 1].map(partition => ({ topic, key: null, value: "before", partition })));
		await once(doomed.stdout, "data");
		doomed.kill("SIGKILL");
		await once(doomed, "exit");
		await memberOf(topic, group, async ({ partition, records }) => {
			for (const { value } of records) handled.add(`${partition}:${value}`);
			return records.at(-1)!.offset + 1;
		});
		await log.append([0, 1].map(partition => ({ topic, key: null, value: "after", partition })));
		await eventually(() => assert.ok(handled.has("0:after") && handled.has("1:after")), "both partitions", RECOVERY_MS);
	});

	it("keeps a partition whose handler takes longer than the group waits for a silent member", async () => {
		const [topic, group, gate] = [await topicOn(log, 1), fresh("group"), Promise.withResolvers<void>()];
		let calls = 0;
		await log.append(numbered(topic, "", 5));
		await memberOf(topic, group, async ({ records, isCurrent }) => {
			calls++;
			await gate.promise;
			assert.ok(isCurrent());
			return records.at(-1)!.offset + 1;
		});
		await eventually(() => assert.equal(calls, 1), "the handler to begin");
		// The session timeout is 8 s: only waiting longer shows that the member kept its partition.
		await delay(12_000);
		gate.resolve();
		await eventually(async () => assert.deepEqual(await log.committed(group, topic), [5]), "the commit");
		assert.equal(calls, 1);
	});
});
