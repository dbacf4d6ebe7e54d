/**
 * Redis for a Moleculer service: a client that fails at once while Redis is away, so that its callers can fall back, and reconnects for ever.
 *
 *     const cache = openRedis("redis://localhost:6379");            // nothing connects yet
 *     cache.onReconnect(() => …);                                    // what was known of its contents may no longer hold
 *
 *     export default {
 *       name: "carts",
 *       mixins: [redis(cache)],                                       // waits for it; redis(cache, { required: false }) does not
 *       actions: { get: ctx => cache.client.hgetall(`cart:${ctx.params.id}`) }
 *     };
 */

import { isIP } from "node:net";
import { Redis as Client } from "ioredis";
import type { Service, ServiceSchema } from "moleculer";
import { type Dependency, dependency, release, retain, waitUntilReachable } from "./dependency.ts";
import { unavailable } from "./errors.ts";
import { addCheck } from "./health.ts";

export interface Redis extends Dependency {
	/** While Redis is away its commands reject at once; one that gets no answer rejects after a second. None is ever sent twice. */
	client: Client;
	/** Grows when a connection is lost: what was learnt of Redis before may no longer hold, even if it is there again. */
	readonly losses: number;
	/** Called each time that a connection is ready for commands, the first too. */
	onReconnect(listener: () => void): void;
}

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 1_000;
/** A peer that went without a word is given up after so long a silence; the commands it owed have been given up before. */
const SILENCE_TIMEOUT_MS = 5_000;
const LONGEST_PAUSE_MS = 2_000;

/**
 * A Redis server, from `redis://[[user]:password@]host[:port][/db]`, or over TLS from `rediss://…`: then its certificate must be for this host,
 * from an authority that Node believes (NODE_EXTRA_CA_CERTS adds some).
 */
export function openRedis(url: string): Redis {
	const { protocol, host, hostname } = new URL(url);
	// Said to a server that has certificates for several names; an address is not a name.
	const servername = isIP(hostname.replace(/^\[|\]$/g, "")) ? undefined : hostname;
	const client = new Client(url, {
		...(protocol === "rediss:" && { tls: { servername, rejectUnauthorized: true } }),
		lazyConnect: true,
		connectTimeout: CONNECT_TIMEOUT_MS,
		commandTimeout: COMMAND_TIMEOUT_MS,
		socketTimeout: SILENCE_TIMEOUT_MS,
		retryStrategy: attempt => Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS),
		// Whoever can do without Redis must learn at once that it is away, and a write that its caller has given up must not land later.
		enableOfflineQueue: false,
		maxRetriesPerRequest: 0
	});
	let losses = 0;
	client.on("close", () => losses++);
	let problem: Error | undefined;
	client.on("ready", () => {
		problem = undefined;
	});
	// Without a listener ioredis prints every failed attempt. Whoever asks is told: commands reject, and health says it.
	client.on("error", error => {
		problem = error;
	});

	return {
		name: "redis",
		where: host,
		advice: "start it, or set REDIS_URL",
		access: "user and password in REDIS_URL",
		client,
		get losses() {
			return losses;
		},
		onReconnect: listener => void client.on("ready", listener),
		async check() {
			try {
				// The first command of all would only set the connection going, and reject.
				if (client.status === "wait") await client.connect();
				await client.ping();
			} catch (error) {
				// A command is only told that there is no connection, not why.
				throw unavailable("Redis", problem ?? error);
			}
		},
		async close() {
			// What is under way is answered first.
			if (client.status === "ready") await client.quit().catch(() => {});
			client.disconnect();
		}
	};
}

/** Mixin: the service starts once Redis answers, or at once if it can do without; health shows Redis either way, and the last user closes it. */
export function redis(connection: Redis, { required = true } = {}): Partial<ServiceSchema> {
	if (required) return dependency(connection);
	return {
		created(this: Service) {
			retain(connection);
			addCheck(this.broker, connection.name, () => connection.check().then(() => "ok"));
		},
		started(this: Service) {
			void waitUntilReachable(connection, this.logger, () => this.broker.stopping);
		},
		stopped: () => release(connection)
	};
}
