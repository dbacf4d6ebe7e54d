// The socket service: who is connected where on /ws and Socket.IO, and the delivery of topics' messages to them, as the topics' contracts declare.
// It contains nothing about any single service.
import type { Service, ServiceSchema } from "moleculer";
import type { TopicContract } from "../../contract/topic.ts";
import { deadlineIn } from "../../mixins/deadline.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { actions, topics } from "../contract.ts";
import { type Caller, defineService, type Received } from "../define-service.ts";
import { localDelivery, roomMessagesOf } from "./deliver.ts";
import { createPeers, type PeersOptions } from "./limits/peers.ts";
import { exportMetrics, socketCounters } from "./metrics.ts";
import { createRooms } from "./rooms.ts";
import { declaredRooms } from "./socket-io/declared-rooms.ts";
import { type SocketIoMethods, type SocketIoOptions, socketIo } from "./socket-io/socket-io.ts";
import { subscriptionsOf } from "./socket-io/subscriptions.ts";
import { createClient } from "./ws/client.ts";
import { codelessAction, frameParser } from "./ws/frames.ts";
import { openSession } from "./ws/session.ts";
import { watchedLists } from "./ws/watched-lists.ts";
import { webSockets } from "./ws/web-sockets.ts";

export interface SocketOptions extends Omit<PeersOptions, "caller" | "logger">, Omit<SocketIoOptions, "names" | "declared"> {}

/** How long a client waits for `connected` while this node does not read the topics yet. */
const READING_TIMEOUT_MS = 5_000;

const contracts = topics as unknown as Record<string, TopicContract>;
const deliveredTopics = Object.entries(contracts).filter(([, { deliveries = [] }]) => deliveries.length > 0);

type WithTopics = Service & SocketIoMethods & { untilEveryNodeTopicsAreRead(): Promise<void> };
type SocketService = WithTopics & { sockets: ReturnType<typeof createSockets> };

/** Creates what lives as long as the service runs, in the order of dependency. */
function createSockets(service: WithTopics, options: SocketOptions) {
	const { broker, logger } = service;
	const caller = broker as unknown as Caller;
	let isReading = false;
	const onceReading = service.untilEveryNodeTopicsAreRead().then(() => {
		isReading = true;
	});
	const rooms = createRooms(() => (isReading ? undefined : deadlineIn(READING_TIMEOUT_MS).bound(onceReading, "the topics")));
	const lists = watchedLists(contracts, rooms);
	const counters = socketCounters();
	const peers = createPeers({ ...options, caller, logger });

	const parse = frameParser(lists.names());
	// `codeless`: the action that a frame without `code` calls.
	const session = { rooms, lists, caller, guests: options.guests, parse, codeless: codelessAction(actions) };
	const server = webSockets({
		...options,
		peers,
		caller,
		logger,
		// The listener exists once the node has started.
		reject: (...rejected) => httpListenerOf(broker).reject(...rejected),
		onConnection: (socket, peer, duplex) =>
			openSession(socket, createClient(socket, counters, peer.waiting, duplex), peer, session)
	});
	exportMetrics(broker, counters, () => ({ ws: server.size(), "socket.io": service.connections() }));

	const emit = (...event: Parameters<SocketIoMethods["emitTo"]>) => counters.pushed(service.emitTo(...event));
	const deliver = localDelivery({ topics: contracts, rooms, lists, emit });

	/** Clients that have missed messages reconnect and synchronise. */
	const disconnectAll = (reason: string) => {
		logger.warn(`disconnecting all clients, which reconnect and synchronise: ${reason}`);
		server.closeAll(1012, "reconnect");
		service.disconnectClients();
	};

	return { rooms, peers, server, deliver, disconnectAll };
}

export const socket = (options: SocketOptions, mixins: Partial<ServiceSchema>[]) =>
	defineService({
		name: "socket",
		mixins: [...mixins, socketIo({ ...options, names: subscriptionsOf(contracts), declared: declaredRooms(contracts, actions) })],

		// Message → rooms of this node (`roomMessagesOf`) → connections (`deliver`).
		topics: Object.fromEntries(
			deliveredTopics.map(([topic, contract]) => [
				topic,
				{
					everyNode: true,
					async batch(this: SocketService, { received }: { received: Received<unknown>[] }) {
						const { rooms, deliver } = this.sockets;
						const messages = await roomMessagesOf(topic, contract, received, rooms);
						for (const message of messages) deliver(message);
						if (messages.length > 0)
							this.logger.debug("pushed", { topic, requestIDs: messages.map(({ requestID }) => requestID) });
					},
					missed(this: SocketService) {
						this.sockets.disconnectAll(`messages of topic "${topic}" did not reach this node`);
					}
				}
			])
		),

		created() {
			const service = this as unknown as SocketService;
			service.sockets = createSockets(service, options);
		},

		started() {
			const { peers, server } = (this as unknown as SocketService).sockets;
			peers.start();
			const listener = httpListenerOf(this.broker);
			listener.upgrades.set("/ws", server.upgrade);
			listener.routes.set("/ws", server.request);
			listener.beforeClose.add(server.stop);
		},

		stopped() {
			(this as unknown as SocketService).sockets.peers.stop();
		}
	});
