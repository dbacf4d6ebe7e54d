// The socket service of a node: rooms, sessions and delivery are real; the topics that it reads are a model.
import type { Service, ServiceSchema } from "moleculer";
import type { WebSocket } from "ws";
import type { TopicContract } from "../../contract/topic.ts";
import { actions, topics } from "../../services/contract.ts";
import type { Caller, Received } from "../../services/define-service.ts";
import { localDelivery, roomMessagesOf } from "../../services/socket/deliver.ts";
import { FrameBudget } from "../../services/socket/limits/frame-budget.ts";
import { WaitingBytes } from "../../services/socket/limits/waiting-bytes.ts";
import { socketCounters } from "../../services/socket/metrics.ts";
import { createRooms } from "../../services/socket/rooms.ts";
import { createClient } from "../../services/socket/ws/client.ts";
import { codelessAction, frameParser } from "../../services/socket/ws/frames.ts";
import { openSession } from "../../services/socket/ws/session.ts";
import { watchedLists } from "../../services/socket/ws/watched-lists.ts";
import type { Running } from "./nodes.ts";
import { actAs } from "./scheduler.ts";
import type { ModelSocket, SocketEndpoint } from "./screens.ts";

const contracts = topics as unknown as Record<string, TopicContract>;
const noop = () => {};
const peer = {
	identity: undefined,
	take: () => true,
	takeForAnswer: () => true,
	identify: () => true,
	disconnect: noop,
	holder: undefined
};

/** Creates the socket service in a node's broker; it pushes messages of these topics. Returns the endpoint that accepts sockets. */
export function addSocketService({ broker, actor, onExit }: Running, pushedTopics: string[], mixin: object): SocketEndpoint {
	const open = new Set<ModelSocket>();
	const caller = broker as unknown as Caller;
	const rooms = createRooms(() => service.untilEveryNodeTopicsAreRead());
	const lists = watchedLists(contracts, rooms);
	const deliver = localDelivery({ topics: contracts, rooms, lists, emit: noop });

	const service = broker.createService({
		name: "socket",
		mixins: [mixin],
		topics: Object.fromEntries(
			pushedTopics.map(topic => [
				topic,
				{
					everyNode: true,
					async batch({ received }: { received: Received<unknown>[] }) {
						for (const message of await roomMessagesOf(topic, contracts[topic]!, received, rooms)) deliver(message);
					},
					missed: noop
				}
			])
		)
	} as unknown as ServiceSchema) as Service & { untilEveryNodeTopicsAreRead(): Promise<void> };

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
			const own = { ...peer, budget: new FrameBudget(), waiting: new WaitingBytes() };
			const session = openSession(ws, createClient(ws, socketCounters(), own.waiting), own, options);
			socket.on("message", (data, isBinary) => session.onFrame(data, isBinary)).on("close", () => session.onClose());
		});
}
