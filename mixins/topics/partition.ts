import { Partitioners } from "kafkajs";

const partitioner = Partitioners.DefaultPartitioner();
const metadata = new Map<
	number,
	{ partitionErrorCode: number; partitionId: number; leader: number; replicas: number[]; isr: number[] }[]
>();

function partitionsOf(count: number) {
	let known = metadata.get(count);
	if (!known) {
		known = Array.from({ length: count }, (_, partitionId) => ({
			partitionErrorCode: 0,
			partitionId,
			leader: 0,
			replicas: [],
			isr: []
		}));
		metadata.set(count, known);
	}
	return known;
}

/** The partition that owns a key: murmur2, as Java's clients and kafkajs do it, on every driver, so that a key has one owner wherever its records come from. */
export const partitionOf = (key: string | Buffer, partitions: number): number =>
	partitioner({ topic: "", partitionMetadata: partitionsOf(partitions), message: { key, value: null } });
