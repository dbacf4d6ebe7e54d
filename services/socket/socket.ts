// The socket service: who is connected where on /ws and Socket.IO, and the delivery of topics' messages to them, as the topics' contracts declare.
// It contains nothing about any single service.
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import type { TopicContract } from "../../contract/topic.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { actions, topics } from "../contract.ts";
import { type Caller, defineService, type Received } from "../define-service.ts";
import { localDelivery, roomMessagesOf } from "./deliver.ts";
import { forwarder } from "./forward.ts";
import { createPeers, type PeersOptions } from "./limits/peers.ts";
import { exportMetrics, socketCounters } from "./metrics.ts";
import type { Presence } from "./presence/presence.ts";
import { createRooms } from "./rooms.ts";
import { type SocketIoMethods, type SocketIoOptions, socketIo } from "./socket-io/socket-io.ts";
import { subscriptionsOf } from "./socket-io/subscriptions.ts";
import { createClient } from "./ws/client.ts";
import { codelessAction, frameParser } from "./ws/frames.ts";
import { openSession } from "./ws/session.ts";
import { watchedLists } from "./ws/watched-lists.ts";
import { webSockets } from "./ws/web-sockets.ts";

export interface SocketOptions extends Omit<PeersOptions, "caller" | "logger">, Omit<SocketIoOptions, "names"> {
	/** The presence of the node that runs the broker. */
	presence: (broker: ServiceBroker) => Presence;
}

const contracts = topics as unknown as Record<string, TopicContract>;
const deliveredTopics = Object.entries(contracts).filter(([, { deliveries = [] }]) => deliveries.length > 0);

type SocketService = Service & SocketIoMethods & { sockets: ReturnType<typeof createSockets> };

/** Creates what lives as long as the service runs, in the order of dependency. */
function createSockets(service: Service & SocketIoMethods, options: SocketOptions) {
	const { broker, logger } = service;
	const caller = broker as unknown as Caller;
	const presence = options.presence(broker);
	const rooms = createRooms(presence);
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
		onConnection: (socket, peer, duplex) => openSession(socket, createClient(socket, counters, duplex), peer, session)
	});
	exportMetrics(broker, counters, () => ({ ws: server.size(), "socket.io": service.connections() }));

	const emit = (room: string, event: string, payload: unknown) => counters.pushed(service.emitTo(room, event, payload));
	const deliver = localDelivery({ topics: contracts, rooms, lists, emit });
	const forward = forwarder({ nodeID: broker.nodeID, deliver, presence, caller, logger });

	/** Clients that have missed messages reconnect and synchronise. */
	const disconnectAll = (reason: string) => {
		logger.warn(`disconnecting all clients, which reconnect and synchronise: ${reason}`);
		server.closeAll(1012, "reconnect");
		service.disconnectClients();
	};

	return { rooms, presence, peers, server, deliver, forward, disconnectAll };
}

export const socket = (options: SocketOptions, mixins: Partial<ServiceSchema>[]) =>
	defineService({
		name: "socket",
		mixins: [...mixins, socketIo({ ...options, names: subscriptionsOf(contracts) })],

		actions: {
			async deliver(ctx) {
				const { deliver, disconnectAll } = (this as unknown as SocketService).sockets;
				if (ctx.params.missed) disconnectAll("messages did not reach this node");
				for (const message of ctx.params.deliveries) deliver(message);
				return null;
			}
		},

		// Message → rooms (`roomMessagesOf`) → nodes (`forward`) → connections (`deliver`).
		topics: Object.fromEntries(
			deliveredTopics.map(([topic, contract]) => [
				topic,
				{
					async batch(this: SocketService, { received }: { received: Received<unknown>[] }) {
						await this.sockets.forward(await roomMessagesOf(topic, contract, received));
						this.logger.debug("pushed", { topic, requestIDs: received.map(({ requestID }) => requestID) });
					}
				}
			])
		),

		created() {
			const service = this as unknown as SocketService;
			service.sockets = createSockets(service, options);
		},

		started() {
			const { rooms, presence, peers, server, disconnectAll } = (this as unknown as SocketService).sockets;
			presence.start({
				rooms: rooms.names,
				onExpired: () => disconnectAll("this node was frozen or disconnected for longer than its lease")
			});
			peers.start();
			const listener = httpListenerOf(this.broker);
			listener.upgrades.set("/ws", server.upgrade);
			listener.routes.set("/ws", server.request);
			listener.beforeClose.add(server.stop);
		},

		stopped() {
			const { sockets } = this as unknown as SocketService;
			sockets.peers.stop();
			return sockets.presence.stop();
		}
	});
