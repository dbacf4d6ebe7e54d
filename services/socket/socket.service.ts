import type { ServiceBroker } from "moleculer";
import { redis as redisMixin } from "../../mixins/redis.ts";
import { config } from "../../runtime/config.ts";
import { embedded, redis, withTopics } from "../../runtime/drivers.ts";
import { trustedProxies } from "../../runtime/http/client-address.ts";
import { nodesRunning } from "../../runtime/node-metadata.ts";
import { redisPresence } from "./presence/presence.redis.ts";
import { localPresence, type Presence } from "./presence/presence.ts";
import { socket } from "./socket.ts";

const presence = (broker: ServiceBroker): Presence =>
	embedded
		? localPresence(broker.nodeID)
		: redisPresence(redis(), { nodeID: broker.nodeID, socketNodes: () => nodesRunning(broker, "socket") });

export default socket({ ...config, isTrusted: trustedProxies(config.trustedProxies), presence }, [
	withTopics(),
	...(embedded ? [] : [redisMixin(redis(), { required: false })])
]);
