// Where the four servers listen and keep their data. A second set runs beside the first with other ports and another INFRA_DATA.
import { join, resolve } from "node:path";

function port(variable: string, fallback: number): number {
	const text = process.env[variable] || String(fallback);
	// The port after it is taken too: by Kafka's controller, by Cassandra's storage protocol.
	if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_535) return Number(text);
	console.error(`${variable}=${text} is unusable: give a port from 1 to 65534`);
	process.exit(1);
}

export const ports = {
	kafka: port("KAFKA_PORT", 9092),
	cassandra: port("CASSANDRA_PORT", 9042),
	postgres: port("PG_PORT", 5432),
	redis: port("REDIS_PORT", 6379)
};

export const dataDir = resolve(process.env.INFRA_DATA || join(import.meta.dirname, ".data"));

/** Jars that were fetched once: kept when the data is wiped, shared by all sets. */
export const cacheDir = join(import.meta.dirname, ".cache");
