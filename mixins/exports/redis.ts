export { openRedis, type Redis, redis } from "../redis.ts";
