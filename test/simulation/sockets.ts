// The socket service of a node: rooms, sessions, delivery and forwarding are real; the network between nodes and the presence of rooms are models.
import type { ServiceSchema } from "moleculer";
import type { WebSocket } from "ws";
import type { TopicContract } from "../../contract/topic.ts";
import { actions, topics } from "../../services/contract.ts";
import type { Actions, Caller, Received } from "../../services/define-service.ts";
import { localDelivery, roomMessagesOf } from "../../services/socket/deliver.ts";
import { forwarder } from "../../services/socket/forward.ts";
import { FrameBudget } from "../../services/socket/limits/frame-budget.ts";
import { socketCounters } from "../../services/socket/metrics.ts";
import { LEASE_MS } from "../../services/socket/presence/presence.redis.ts";
import type { Presence } from "../../services/socket/presence/presence.ts";
import { createRooms } from "../../services/socket/rooms.ts";
import type { RoomMessage } from "../../services/socket/socket.contract.ts";
import { createClient } from "../../services/socket/ws/client.ts";
import { codelessAction, frameParser } from "../../services/socket/ws/frames.ts";
import { openSession } from "../../services/socket/ws/session.ts";
import { watchedLists } from "../../services/socket/ws/watched-lists.ts";
import type { Node, Running } from "./nodes.ts";
import { actAs, type Scheduler } from "./scheduler.ts";
import type { ModelSocket, SocketEndpoint } from "./screens.ts";

const contracts = topics as unknown as Record<string, TopicContract>;
const RENEW_EVERY_MS = 1_000;
const noop = () => {};
const peer = { identity: undefined, take: () => true, identify: () => true, disconnect: noop, holder: undefined };

/** Presence that names every node for every room: the broadest answer it may give. */
const presenceOf = (nodes: Node[]): Presence => ({
	join: async () => {},
	leave: noop,
	nodesOf: async rooms => new Map(rooms.map(room => [room, nodes.map(({ name }) => name)])),
	isExpected: async name => nodes.some(node => node.name === name && node.running),

	start: noop,
	stop: async () => {}
});

/** Creates the socket service in a node's broker; it pushes messages of these topics. Returns the endpoint that accepts sockets. */
export function addSocketService(
	{ broker, actor, onExit }: Running,
	nodes: Node[],
	pushedTopics: string[],
	mixin: object,
	scheduler: Scheduler
): SocketEndpoint {
	const open = new Set<ModelSocket>();
	const presence = presenceOf(nodes);
	const rooms = createRooms(presence);
	const lists = watchedLists(contracts, rooms);
	const disconnectAll = () => {
		for (const socket of open) socket.close();
	};
	const deliver = localDelivery({ topics: contracts, rooms, lists, emit: noop });

	const caller: Caller = {
		async call(name: keyof Actions, params: object, { nodeID, ...options }: { nodeID?: string } = {}) {
			if (nodeID === undefined) return broker.call(name, params, options);
			await scheduler.step(`call ${nodeID}`);
			const node = nodes.find(one => one.name === nodeID)!;
			return Promise.race([
				node.call(name, params),
				new Promise((_, reject) => setTimeout(() => reject(new Error(`${nodeID} does not answer`)), LEASE_MS / 5))
			]);
		}
	} as Caller;
	const forward = forwarder({ nodeID: actor.name, deliver, presence, caller, logger: broker.getLogger("socket") });

	broker.createService({
		name: "socket",
		mixins: [mixin],
		actions: {
			deliver: ({ params: { deliveries, missed } }: { params: { deliveries: RoomMessage[]; missed: boolean } }) => {
				if (missed) disconnectAll();
				deliveries.forEach(deliver);
				return null;
			}
		},
		topics: Object.fromEntries(
			pushedTopics.map(topic => [
				topic,
				{
					batch: async ({ received }: { received: Received<unknown>[] }) =>
						forward(await roomMessagesOf(topic, contracts[topic]!, received))
				}
			])
		)
	} as unknown as ServiceSchema);

	// Like presence: a node that was frozen for longer than its lease has missed deliveries, so its clients must reconnect.
	actAs(actor, () => {
		let renewedAtMs = performance.now();
		setInterval(() => {
			if (performance.now() - renewedAtMs > LEASE_MS) disconnectAll();
			renewedAtMs = performance.now();
		}, RENEW_EVERY_MS);
	});
	onExit.add(() => {
		for (const socket of open) socket.close();
	});

	const options = {
		rooms,
		lists,
		caller,
		guests: true,
		parse: frameParser(lists.names()),
		codeless: codelessAction(actions)
	};
	return socket =>
		actAs(actor, () => {
			open.add(socket);
			socket.actor = actor;
			socket.on("close", () => open.delete(socket));
			const ws = socket as unknown as WebSocket;
			const session = openSession(ws, createClient(ws, socketCounters()), { ...peer, budget: new FrameBudget() }, options);
			socket.on("message", (data, isBinary) => session.onFrame(data, isBinary)).on("close", () => session.onClose());
		});
}
