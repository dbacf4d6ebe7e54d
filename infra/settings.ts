// Ports and data directory of the four servers. Other ports and another INFRA_DATA allow test servers beside them.
import { join, resolve } from "node:path";

function port(variable: string, fallback: number): number {
	const text = process.env[variable] || String(fallback);
	// Two servers also use the next port: Kafka's controller and Cassandra's storage protocol.
	if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_535) return Number(text);
	console.error(`${variable}=${text} is not a usable port: set it to a number from 1 to 65534`);
	process.exit(1);
}

export const ports = {
	kafka: port("KAFKA_PORT", 9092),
	cassandra: port("CASSANDRA_PORT", 9042),
	postgres: port("PG_PORT", 5432),
	redis: port("REDIS_PORT", 6379)
};

export const dataDir = resolve(process.env.INFRA_DATA || join(import.meta.dirname, ".data"));

/** Downloaded jars. `wipe` keeps them, and all test servers share them. */
export const cacheDir = join(import.meta.dirname, ".cache");
