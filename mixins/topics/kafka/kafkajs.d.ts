// What is used here of kafkajs and stands in no types of its own.
declare module "kafkajs/src/network/requestQueue/index.js" {
	export default class RequestQueue {
		pending: unknown[];
		scheduleCheckPendingRequests(): void;
	}
}
declare module "kafkajs/src/protocol/requests/apiKeys.js" {
	const apiKeys: Record<"Fetch", number>;
	export default apiKeys;
}
declare module "kafkajs/src/protocol/requests/index.js" {
	export const requests: Record<"Fetch", unknown>;
}
