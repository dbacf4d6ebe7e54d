import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { Partitioners } from "kafkajs";
import { partitionOf } from "./partition.ts";

const kafkajs = Partitioners.DefaultPartitioner();
const theirs = (key: string | Buffer, partitions: number) => {
	const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
		partitionErrorCode: 0,
		partitionId,
		leader: 0,
		replicas: [],
		isr: []
	}));
	return kafkajs({ topic: "", partitionMetadata, message: { key, value: null } });
};

it("puts every key where kafkajs puts it", () => {
	const key = fc.oneof(
		fc.string({ unit: "binary", maxLength: 64 }),
		fc.uint8Array({ maxLength: 64 }).map(bytes => Buffer.from(bytes))
	);
	fc.assert(
		fc.property(key, fc.integer({ min: 1, max: 100 }), (one, count) => partitionOf(one, count) === theirs(one, count)),
		{
			numRuns: 2_000
		}
	);
});

it("puts keys where Java's clients put them", () => {
	// From the tests of Kafka's own Utils.murmur2: its hashes of these keys, without their sign.
	const hashes = { "21": -973932308, foobar: -790332482, "a-little-bit-long-string": -985981536, abc: 479470107 };
	for (const [key, hash] of Object.entries(hashes)) assert.equal(partitionOf(key, 1_000), (hash & 0x7fffffff) % 1_000);
});
