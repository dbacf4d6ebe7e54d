import type { Outgoing } from "./topic-log.ts";

/** The constants of MurmurHash2, under the names that Kafka uses. */
const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/**
 * MurmurHash2, 32 bits, as Java's Kafka clients hash a key: org.apache.kafka.common.utils.Utils.murmur2. kafkajs has it too, in BigInts:
 * eight times slower, and every published and every consumed record is hashed.
 */
function murmur2(bytes: Buffer): number {
	const { length } = bytes;
	let hash = SEED ^ length;
	let at = 0;
	for (; at + 4 <= length; at += 4) {
		let word = Math.imul(bytes.readInt32LE(at), M);
		word = Math.imul(word ^ (word >>> 24), M);
		hash = Math.imul(hash, M) ^ word;
	}
	if (at < length) hash = Math.imul(hash ^ bytes.readUIntLE(at, length - at), M);
	hash = Math.imul(hash ^ (hash >>> 13), M);
	return hash ^ (hash >>> 15);
}

/** The partition that owns a key, as Java's clients and kafkajs choose it. Every driver uses it, so that a key has one owner, whichever client wrote its records. */
export const partitionOf = (key: string | Buffer, partitions: number): number =>
	(murmur2(typeof key === "string" ? Buffer.from(key) : key) & 0x7fffffff) % partitions;

/** Chooses the partition of a record: its own, else the owner of its key, else the partitions in rotation. */
export function createPartitioner() {
	let next = 0;
	return ({ key, partition }: Pick<Outgoing, "key" | "partition">, partitions: number): number =>
		partition ?? (key === null ? next++ % partitions : partitionOf(key, partitions));
}
