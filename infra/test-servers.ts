// Settings for test servers: they run beside servers on the usual ports, and tests may stop, kill and wipe them.
import { once } from "node:events";
import { createServer } from "node:net";

// Below the range that Linux uses for outgoing connections: a server that restarts must find its port free.
const FIRST_PORT = 10_000;
const LAST_PORT = 11_999;

async function isFree(port: number): Promise<boolean> {
	const server = createServer().listen(port, "127.0.0.1");
	try {
		await once(server, "listening");
		return true;
	} catch {
		return false;
	} finally {
		server.close();
	}
}

/** Returns the first of `length` consecutive free ports. The search starts at a position derived from the pid: other runs search at the same time. */
export async function freePortRange(length: number): Promise<number> {
	const ranges = Math.floor((LAST_PORT - FIRST_PORT) / length);
	for (let attempt = 0; attempt < ranges; attempt++) {
		const first = FIRST_PORT + ((process.pid + attempt) % ranges) * length;
		const free = await Promise.all(Array.from({ length }, (_, i) => isFree(first + i)));
		if (free.every(Boolean)) return first;
	}
	throw new Error(`no ${length} consecutive free ports between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** Returns the environment variables with which infra and Plaza use separate servers, with their data in `dataDir`. */
export async function testServers(dataDir: string) {
	// Two consecutive ports for each of the four servers.
	const first = await freePortRange(8);
	const [kafka, cassandra, postgres, redis] = [0, 2, 4, 6].map(i => i + first) as [number, number, number, number];
	return {
		INFRA_DATA: dataDir,
		KAFKA_PORT: String(kafka),
		CASSANDRA_PORT: String(cassandra),
		PG_PORT: String(postgres),
		REDIS_PORT: String(redis),
		KAFKA_BROKERS: `localhost:${kafka}`,
		CASSANDRA_CONTACT_POINTS: `localhost:${cassandra}`,
		DATABASE_URL: `postgres://postgres:postgres@localhost:${postgres}/pocdb`,
		REDIS_URL: `redis://localhost:${redis}`
	};
}
