import type { Service, ServiceSchema } from "moleculer";
import type { TopicContract } from "../../contract/topic.ts";
import { redis as redisMixin } from "../../mixins/redis.ts";
import { config } from "../../runtime/config.ts";
import { embedded, redis, withTopics } from "../../runtime/drivers.ts";
import { trustedProxies } from "../../runtime/http/client-address.ts";
import { httpListenerOf } from "../../runtime/http/http-listener.ts";
import { actions, topics } from "../contract.ts";
import { type Caller, defineService, type Received } from "../define-service.ts";
import { forwarder } from "./forward.ts";
import { createPeers } from "./limits/peers.ts";
import { socketFigures } from "./metrics.ts";
import { redisPresence } from "./presence/presence.redis.ts";
import { localPresence, type Presence } from "./presence/presence.ts";
import type { Delivery } from "./socket.contract.ts";
import { isLive, liveRooms, placesOf, subscriptionsOf } from "./socket-io/rooms.ts";
import { type SocketIoMethods, socketIo } from "./socket-io/socket-io.ts";
import { createClient } from "./ws/client.ts";
import { codelessAction, frameParser } from "./ws/frames.ts";
import { createHub, roomsOf } from "./ws/hub.ts";
import { openSession } from "./ws/session.ts";
import { feedsOf } from "./ws/watched-lists.ts";
import { webSockets } from "./ws/web-sockets.ts";

const contracts = topics as unknown as Record<string, TopicContract>;
/** The topics that some screen is to hear of: their contracts say which. */
const shown = Object.keys(contracts).filter(name => contracts[name]?.push || contracts[name]?.feed || contracts[name]?.live);

const isTrusted = trustedProxies(config.trustedProxies);

async function deliveriesOf(topic: string, received: Received<unknown>[]): Promise<Delivery[]> {
	const contract = contracts[topic]!;
	const deliveries = received.map(async ({ message, ctx, record: { headers } }) => {
		const rooms = [...roomsOf(contract, message as never), ...(await placesOf(contract, message, ctx))];
		return rooms.map(room => ({ topic, room, message, headers }));
	});
	return (await Promise.all(deliveries)).flat();
}

/** Everything that lives as long as the service runs. */
function open(service: Service, makePresence: typeof presenceOf) {
	const hub = createHub(contracts);
	const caller = service.broker as unknown as Caller;
	const presence = makePresence(
		service,
		() => [...hub.rooms(), ...live.places()],
		() => comeAgain("this node was frozen or cut off for longer than its lease")
	);
	const live = liveRooms(contracts, presence, (room, event, payload) => {
		figures.pushed((service as Running).emitTo(room, event, payload));
	});
	const feeds = feedsOf(contracts);
	const codeless = codelessAction(actions);
	const figures = socketFigures(service.broker, () => ({ ws: server.size(), "socket.io": (service as Running).connections() }));
	const peers = createPeers({ ...config, caller });
	const shared = { hub, presence, caller, guests: config.guests, feeds, parse: frameParser(feeds.keys()), codeless };
	const server = webSockets({
		allowedOrigins: config.allowedOrigins,
		isTrusted,
		peers,
		caller,
		onConnection: (socket, peer, duplex) => openSession(socket, createClient(socket, figures, duplex), peer, shared)
	});
	/** Sockets that have missed something catch up by coming anew. */
	const comeAgain = (why: string) => {
		service.logger.warn(`all sockets are to come anew: ${why}`);
		server.closeAll(1012, "come again");
		(service as Running).hangUp();
	};
	const deliver = (delivery: Delivery) => (isLive(delivery.room) ? live.deliver(delivery) : hub.deliver(delivery));
	return {
		live,
		presence,
		peers,
		server,
		comeAgain,
		deliver,
		forward: forwarder({ nodeID: service.broker.nodeID, deliver, presence, caller, logger: service.logger })
	};
}

/** In one process the node itself; else what Redis knows. */
function presenceOf({ broker }: Service, rooms: () => Iterable<string>, onGivenUp: () => void): Presence {
	if (embedded) return localPresence(broker.nodeID);
	const socketNodes = () =>
		broker.registry
			.getNodeList({ onlyAvailable: true, withServices: false })
			.filter(({ metadata }: { metadata: { works?: string[] } | null }) => metadata?.works?.includes("socket"))
			.map(({ id }: { id: string }) => id);
	return redisPresence(redis(), { nodeID: broker.nodeID, rooms, socketNodes, onGivenUp });
}

type Open = ReturnType<typeof open>;
type Running = Service & SocketIoMethods & { sockets: Open };

/** WebSocket and Socket.IO: who is connected where, and the frames that topics' contracts say they get. Has no line about any service. */
export const socket = (mixins: Partial<ServiceSchema>[]) =>
	defineService({
		name: "socket",
		mixins,

		actions: {
			async deliver(ctx) {
				const { deliver, comeAgain } = (this as unknown as Running).sockets;
				if (ctx.params.missed) comeAgain("messages did not reach this node");
				for (const delivery of ctx.params.deliveries) deliver(delivery as Delivery);
				return null;
			}
		},

		topics: Object.fromEntries(
			shown.map(topic => [
				topic,
				{
					async batch(this: Running, { received }: { received: Received<unknown>[] }) {
						await this.sockets.forward(await deliveriesOf(topic, received));
						this.logger.debug("pushed", { topic, requestIDs: received.map(({ requestID }) => requestID) });
					}
				}
			])
		),

		created() {
			(this as unknown as Running).sockets = open(this, presenceOf);
		},

		started() {
			const { presence, peers, server } = (this as unknown as Running).sockets;
			const door = httpListenerOf(this.broker);
			presence.start();
			peers.start();
			door.upgrades.set("/ws", server.upgrade);
			door.beforeClose.add(server.stop);
		},

		stopped() {
			const { sockets } = this as unknown as Running;
			sockets.peers.stop();
			return sockets.presence.stop();
		}
	});

export default socket([
	withTopics(),
	socketIo({ ...config, isTrusted, names: subscriptionsOf(contracts) }),
	...(embedded ? [] : [redisMixin(redis(), { required: false })])
]);
