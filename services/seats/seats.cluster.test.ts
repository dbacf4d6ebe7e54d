import { openRedis } from "../../mixins/redis.ts";
import { readConfig } from "../../runtime/config.ts";
import { scratchPostgres } from "../../test/scratch.ts";
import { redisCache } from "./seats.store.cache.redis.ts";
import { seatsSuite } from "./seats.suite.ts";

seatsSuite("Postgres and Redis servers", async () => {
	const redis = openRedis(readConfig(process.env).redisUrl);
	await redis.check();
	const postgres = await scratchPostgres();
	const remove = async () => {
		await redis.close();
		await postgres.remove();
	};
	return { ...postgres, remove, cache: redisCache(redis) };
});
