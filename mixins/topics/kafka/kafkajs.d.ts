// What is used of kafkajs and is not among its types.
declare module "kafkajs/src/protocol/requests/apiKeys.js" {
	const apiKeys: Record<"Fetch", number>;
	export default apiKeys;
}
declare module "kafkajs/src/protocol/requests/index.js" {
	export const requests: Record<"Fetch", unknown>;
}
declare module "kafkajs/src/consumer/batch.js" {
	import type { KafkaMessage, Batch as PublicBatch } from "kafkajs";
	/** A partition in a fetch response. */
	export interface PartitionData {
		partition: number;
		highWatermark: string;
		messages: KafkaMessage[];
	}
	const Batch: new (topic: string, fetchedOffset: string, data: PartitionData) => PublicBatch;
	export default Batch;
}
declare module "kafkajs/src/network/requestQueue/socketRequest.js" {
	/** Each request of each client. */
	const SocketRequest: { prototype: { completed(response: { size: number }): void } };
	export default SocketRequest;
}
