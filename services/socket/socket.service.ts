import type { Service, ServiceSchema } from "moleculer";
import { config } from "../../config.ts";
import { type Caller, defineService, type Received, type TopicContract } from "../../define.ts";
import { addressLimit } from "../../mixins/http/address-limit.ts";
import { doorOf } from "../../mixins/http/front-door.ts";
import { tokenBucket } from "../../mixins/limits/token-bucket.ts";
import { redis as redisMixin } from "../../mixins/redis.ts";
import { embedded, redis, withTopics } from "../../profile.ts";
import { actions, topics } from "../contract.ts";
import { type ClientFigures, createClient } from "./client.ts";
import { feedsOf } from "./feeds.ts";
import { forwarder } from "./forward.ts";
import { codelessAction } from "./frames.ts";
import { createHub, roomsOf } from "./hub.ts";
import { redisPresence } from "./presence.redis.ts";
import { localPresence, type Presence } from "./presence.ts";
import { openSession } from "./session.ts";
import type { Delivery } from "./socket.contract.ts";
import { socketIo } from "./socket-io.ts";
import { webSockets } from "./web-sockets.ts";

const contracts = topics as unknown as Record<string, TopicContract>;
/** The topics that some screen is to hear of: their contracts say which. */
const shown = Object.keys(contracts).filter(name => contracts[name]?.push || contracts[name]?.feed);

/** WebSocket and Socket.IO together. */
const addresses = addressLimit(config.maxSocketsPerAddress);

const COUNTERS = {
	pushed: "frames for sockets",
	conflated: "frames replaced by newer ones",
	slow: "sockets closed for not reading"
};

function figuresOf({ broker }: Service, connected: () => number): ClientFigures {
	for (const [figure, description] of Object.entries(COUNTERS))
		broker.metrics.register({ type: "counter", name: `plaza.sockets.${figure}`, description });
	broker.metrics.register({ type: "gauge", name: "plaza.sockets.connected", description: "open sockets" });
	setInterval(() => broker.metrics.set("plaza.sockets.connected", connected()), 1_000).unref();
	const count = (figure: string) => () => broker.metrics.increment(`plaza.sockets.${figure}`);
	return { pushed: count("pushed"), conflated: count("conflated"), slow: count("slow") };
}

const deliveriesOf = (topic: string, received: Received<unknown>[]): Delivery[] =>
	received.flatMap(({ message, record: { headers } }) =>
		roomsOf(contracts[topic]!, message as never).map(room => ({ topic, room, message, headers }))
	);

/** Everything that lives as long as the service runs. */
function open(service: Service, makePresence: typeof presenceOf) {
	const hub = createHub(contracts);
	const caller = service.broker as unknown as Caller;
	const presence = makePresence(
		service,
		() => hub.rooms(),
		() => server.closeAll(1012, "come again")
	);
	const feeds = feedsOf(contracts);
	const codeless = codelessAction(actions);
	const figures = figuresOf(service, () => server.size());
	const server = webSockets({
		allowedOrigins: config.allowedOrigins,
		addresses,
		onConnection: socket =>
			openSession(socket, createClient(socket, figures), {
				hub,
				presence,
				caller,
				guests: config.guests,
				feeds,
				codeless,
				flood: tokenBucket(config.maxFramesPerSecond, performance.now())
			})
	});
	return {
		hub,
		presence,
		server,
		forward: forwarder({ nodeID: service.broker.nodeID, hub, presence, caller, logger: service.logger })
	};
}

/** In one process the node itself; else what Redis knows. */
function presenceOf({ broker }: Service, rooms: () => Iterable<string>, onFrozen: () => void): Presence {
	if (embedded) return localPresence(broker.nodeID);
	const socketNodes = () =>
		broker.registry
			.getNodeList({ onlyAvailable: true, withServices: false })
			.filter(({ metadata }: { metadata: { works?: string[] } | null }) => metadata?.works?.includes("socket"))
			.map(({ id }: { id: string }) => id);
	return redisPresence(redis(), { nodeID: broker.nodeID, rooms, socketNodes, onFrozen });
}

type Open = ReturnType<typeof open>;
type Running = Service & { sockets: Open };

/** WebSocket and Socket.IO: who is connected where, and the frames that topics' contracts say they get. Has no line about any service. */
export const socket = (mixins: Partial<ServiceSchema>[]) =>
	defineService({
		name: "socket",
		mixins,

		actions: {
			async deliver(ctx) {
				const { hub, server } = (this as unknown as Running).sockets;
				if (ctx.params.missed) server.closeAll(1012, "come again");
				for (const delivery of ctx.params.deliveries) hub.deliver(delivery as Delivery);
				return null;
			}
		},

		topics: Object.fromEntries(
			shown.map(topic => [
				topic,
				{
					async batch(this: Running, { received }: { received: Received<unknown>[] }) {
						await this.sockets.forward(deliveriesOf(topic, received));
						this.logger.debug("pushed", { topic, requestIDs: received.map(({ requestID }) => requestID) });
					}
				}
			])
		),

		created() {
			(this as unknown as Running).sockets = open(this, presenceOf);
		},

		started() {
			const { presence, server } = (this as unknown as Running).sockets;
			const door = doorOf(this.broker);
			presence.start();
			door.upgrades.set("/ws", server.upgrade);
			door.closing.add(server.stop);
		},

		stopped() {
			return (this as unknown as Running).sockets.presence.stop();
		}
	});

export default socket([
	withTopics(),
	socketIo({ ...config, addresses }),
	...(embedded ? [] : [redisMixin(redis(), { required: false })])
]);
