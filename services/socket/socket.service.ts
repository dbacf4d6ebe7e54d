import { redis as redisMixin } from "../../mixins/redis.ts";
import { config } from "../../runtime/config.ts";
import { embedded, redis, withTopics } from "../../runtime/drivers.ts";
import { trustedProxies } from "../../runtime/http/client-address.ts";
import { socket } from "./socket.ts";

export default socket({ ...config, isTrusted: trustedProxies(config.trustedProxies) }, [
	withTopics(),
	// The limits of a gateway's clients are counted there.
	...(embedded ? [] : [redisMixin(redis(), { required: false })])
]);
