// Which topics `create` waits for. Kafka is replaced, because a real one serves its partitions sooner or later.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Admin, Cluster, Kafka } from "kafkajs";
import type { Connection } from "./connection.ts";
import { kafkaTopics } from "./topics.ts";

const spec = (name: string) => ({ name, partitions: 2, retentionMs: 1_000, maxBytes: 1_000 });

/** Serves the topics named in `served`, from the given attempt on. */
function replacement(existing: string[], served: Record<string, number>, existingTimeoutMs?: number) {
	const attempts: string[] = [];
	const names = new Set(existing);
	const admin = {
		listTopics: async () => [...names],
		async createTopics({ topics }: { topics: { topic: string }[] }) {
			for (const { topic } of topics) names.add(topic);
		},
		fetchTopicMetadata: async ({ topics }: { topics: string[] }) => ({
			topics: topics.map(name => ({ name, partitions: [{}, {}] }))
		})
	} as unknown as Admin;
	const cluster = {
		async connect() {},
		async refreshMetadata() {},
		async addMultipleTargetTopics() {},
		async fetchTopicsOffset(ends: { topic: string }[]) {
			for (const { topic } of ends) attempts.push(topic);
			for (const { topic } of ends)
				if (attempts.filter(one => one === topic).length < (served[topic] ?? Number.POSITIVE_INFINITY))
					throw new Error(`${topic} is not served`);
		}
	} as unknown as Cluster;
	const kafka = {
		consumer: ({ partitionAssigners: [assigner] }: { partitionAssigners: ((config: { cluster: Cluster }) => unknown)[] }) =>
			assigner!({ cluster })
	} as unknown as Kafka;
	let isCut = false;
	const connection: Connection = {
		kafka,
		problem: () => undefined,
		cut() {
			isCut = true;
		}
	};
	const request = <T>(send: (admin: Admin) => Promise<T>) => send(admin);
	return { attempts, isCut: () => isCut, create: kafkaTopics({ request }, () => connection, 1, existingTimeoutMs).create };
}

it("waits for the topics that it has created, and gives up on existing ones that no server serves, with a warning", async t => {
	const { create, attempts, isCut } = replacement(["old"], { new: 2 }, 1);
	const warnings: string[] = [];
	t.mock.method(process, "emitWarning", (warning: string) => warnings.push(warning));
	await create([spec("old"), spec("new")]);
	assert.deepEqual(attempts, ["new", "new", "old"]);
	assert.deepEqual(warnings, [
		"not every partition of the existing topics is served (old is not served): start all Kafka servers"
	]);
	assert.ok(isCut());
});

it("waits for existing topics that are not served yet: another node may have created them just now", async t => {
	const { create, attempts } = replacement(["old"], { old: 2 });
	const warnings = t.mock.method(process, "emitWarning", () => {});
	await create([spec("old")]);
	assert.deepEqual([attempts, warnings.mock.callCount()], [["old", "old"], 0]);
});
