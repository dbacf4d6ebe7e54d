export { redisLimits } from "../limits/limits.redis.ts";
