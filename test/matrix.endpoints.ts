// Every endpoint, by its name in docs/security.md: those that the contracts and the proto files declare, and the few that are wired by hand.
import { globSync } from "node:fs";
import { join } from "node:path";
import { loadSync } from "@grpc/proto-loader";
import { protoPath as healthProto } from "grpc-health-check";
import type { ActionContract } from "../contract/action.ts";
import type { TopicContract } from "../contract/topic.ts";
import { actions, topics } from "../services/contract.ts";
import { pages } from "../services/health/health.contract.ts";
import { declaredRooms } from "../services/socket/socket-io/declared-rooms.ts";
import { subscriptionsOf } from "../services/socket/socket-io/subscriptions.ts";

export const contracts = Object.entries(actions as unknown as Record<string, ActionContract>);

export interface Endpoint {
	endpoint: string;
	/** The action that it calls. `-`: none. */
	action: string;
	who: string;
}

/** Endpoints that no contract declares. */
const WIRED_BY_HAND: Endpoint[] = [
	{ endpoint: "GET /index.html and its files", action: "-", who: "anyone" },
	{ endpoint: "GET /metrics on METRICS_PORT", action: "-", who: "anyone" },
	{ endpoint: "GET /health/* on METRICS_PORT", action: "-", who: "anyone" },
	{ endpoint: "/ws handshake", action: "-", who: "anyone" },
	{ endpoint: "/ws frame connect", action: "-", who: "owner" },
	{ endpoint: "/ws frame watch", action: "-", who: "anyone" },
	{ endpoint: "Socket.IO connection", action: "-", who: "visitor" }
];

const methodsIn = (file: string) =>
	Object.values(loadSync(file)).flatMap(definition =>
		Object.values(definition).flatMap(method => (typeof method?.path === "string" ? [method.path.slice(1)] : []))
	);
const reflection = ["v1", "v1alpha"].map(version => `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

/** Full names of gRPC methods, and whether they require GRPC_TOKEN if it is set. */
export const grpcMethods = new Map([
	...globSync("*.proto", { cwd: join(import.meta.dirname, "../proto") })
		.flatMap(file => methodsIn(join(import.meta.dirname, "../proto", file)))
		.map(method => [method, true] as const),
	...methodsIn(healthProto).map(method => [method, false] as const),
	...reflection.map(method => [method, true] as const)
]);

/** The action of a gRPC method: `wallet.WalletService/GetBalance` calls `wallet.getBalance`. `-`: there is no such action. */
function actionOf(method: string): string {
	const [, service, first = "", rest] = /^(\w+)\.\w+\/(\w)(\w*)$/.exec(method) ?? [];
	const action = `${service}.${first.toLowerCase()}${rest}`;
	return action in actions ? action : "-";
}
const byGrpc = new Set([...grpcMethods.keys()].map(actionOf));

const contractsOfTopics = topics as unknown as Record<string, TopicContract>;
/** The events that the server handles; it acknowledges all others with an error. */
const socketIoEvents = [
	...[...subscriptionsOf(contractsOfTopics).keys()].map(name => ({
		endpoint: `Socket.IO subscribe:${name}`,
		action: "-",
		who: "visitor"
	})),
	...[...declaredRooms(contractsOfTopics, actions)].flatMap(([name, { subscription }]) => [
		{ endpoint: `Socket.IO subscribe:${name}`, action: subscription.snapshot, who: "visitor" },
		{ endpoint: `Socket.IO unsubscribe:${name}`, action: "-", who: "visitor" }
	]),
	{ endpoint: "Socket.IO subscribe:admin", action: "-", who: "admin" }
];

export const endpoints: Endpoint[] = [
	...contracts.flatMap(([action, { rest, replyCode, who }]) => {
		if (!who) return byGrpc.has(action) ? [] : [{ endpoint: "none", action, who: "nobody" }];
		const to = (endpoint: string) => ({ endpoint, action, who });
		return [...(rest ? [to(rest)] : []), ...(replyCode ? [to("/ws frame without a code")] : [])];
	}),
	...Object.keys(pages).map(path => ({ endpoint: `GET ${path}`, action: "-", who: "anyone" })),
	...[...grpcMethods].map(([method, needsToken]) => ({
		endpoint: `gRPC ${method}`,
		action: actionOf(method),
		who: needsToken ? "GRPC_TOKEN" : "anyone"
	})),
	...socketIoEvents,
	...WIRED_BY_HAND
];
