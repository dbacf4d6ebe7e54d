// What is used of kafkajs and is not among its types.
declare module "kafkajs/src/protocol/requests/apiKeys.js" {
	const apiKeys: Record<"Fetch", number>;
	export default apiKeys;
}
declare module "kafkajs/src/protocol/requests/index.js" {
	export const requests: Record<"Fetch", unknown>;
}
