// A set of the four servers beside whatever runs on the usual ports, for tests: they may stop, kill and wipe it.
import { once } from "node:events";
import { createServer } from "node:net";

// Below the ports that Linux hands to outgoing connections: a server that restarts must find its port free.
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

/** The first port of a row of free ones, looked for from a place of this process's own, as other runs look at the same time. */
export async function freePortRange(length: number): Promise<number> {
	const rows = Math.floor((LAST_PORT - FIRST_PORT) / length);
	for (let tried = 0; tried < rows; tried++) {
		const first = FIRST_PORT + ((process.pid + tried) % rows) * length;
		const free = await Promise.all(Array.from({ length }, (_, i) => isFree(first + i)));
		if (free.every(Boolean)) return first;
	}
	throw new Error(`no ${length} free ports in a row from ${FIRST_PORT} on`);
}

/** The environment that leads infra and Plaza to a set of its own, with its data in `dataDir`. */
export async function testServers(dataDir: string) {
	// Each of the four and the port after it.
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
