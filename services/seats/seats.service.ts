import { database } from "../../mixins/database/database.ts";
import { redis as withRedis } from "../../mixins/redis.ts";
import { config } from "../../runtime/config.ts";
import { embedded, postgres, redis, runsService, withOutbox, withTopics } from "../../runtime/drivers.ts";
import { redisCache } from "./seats.store.cache.redis.ts";
import { memoryCache } from "./seats.store.cache.ts";
import { sqlSeats } from "./seats.store.ts";
import { seats } from "./seats.ts";

const { outbox, relay } = withOutbox("seats");

export default seats(
	sqlSeats(postgres().knex, outbox, { holdSeconds: config.holdSeconds }),
	embedded ? memoryCache() : redisCache(redis()),
	{
		mixins: [
			relay,
			withTopics(),
			database(postgres(), new URL("./migrations/", import.meta.url)),
			// Not required: without Redis, seat maps come from Postgres.
			...(embedded ? [] : [withRedis(redis(), { required: false })])
		],
		// The embedded Postgres has one session, so it runs one transaction at a time.
		batches: embedded ? 1 : 2,
		sweeps: runsService("seats"),
		admission: runsService("seats") ? {} : undefined
	}
);
