/**
 * Redis for a Moleculer service: a client that fails at once while Redis is unavailable, so that callers can fall back, and always reconnects.
 *
 *     const cache = openRedis("redis://localhost:6379");            // nothing connects yet
 *     cache.onReconnect(() => …);                                    // its contents may have changed
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
import { backoffMs } from "./backoff.ts";
import { type Dependency, dependency, release, retain, waitUntilReachable } from "./dependency.ts";
import { unavailable } from "./errors.ts";
import { addCheck } from "./health.ts";

export interface Redis extends Dependency {
	/** While Redis is unavailable, commands reject at once; a command without an answer rejects after a second. None is ever sent twice. */
	client: Client;
	/** Grows when a connection is lost: Redis may have lost data since, even if it answers again. */
	readonly losses: number;
	/** The listener is called each time a connection is ready for commands, also the first time. */
	onReconnect(listener: () => void): void;
}

const CONNECT_TIMEOUT_MS = 2_000;
const COMMAND_TIMEOUT_MS = 1_000;
/** Closes a connection whose peer vanished. Its commands have timed out before. */
const SILENCE_TIMEOUT_MS = 5_000;
const BACKOFF = { firstMs: 100, longestMs: 2_000 };

export interface RedisOptions {
	/** What to do when it does not answer, for log lines. */
	advice?: string;
	/** What to set when it refuses the credentials, for log lines. */
	access?: string;
}

/**
 * A Redis server, from `redis://[[user]:password@]host[:port][/db]`, or over TLS from `rediss://…`: then its certificate must be for this host,
 * from an authority that Node trusts (NODE_EXTRA_CA_CERTS adds some).
 */
export function openRedis(url: string, options: RedisOptions = {}): Redis {
	const { advice = "start it, or correct its URL", access = "user and password in its URL" } = options;
	const { protocol, host, hostname } = new URL(url);
	// SNI, for a server with certificates for several names; an address is not a name.
	const servername = isIP(hostname.replace(/^\[|\]$/g, "")) ? undefined : hostname;
	const client = new Client(url, {
		...(protocol === "rediss:" && { tls: { servername, rejectUnauthorized: true } }),
		lazyConnect: true,
		connectTimeout: CONNECT_TIMEOUT_MS,
		commandTimeout: COMMAND_TIMEOUT_MS,
		socketTimeout: SILENCE_TIMEOUT_MS,
		// ioredis counts attempts from 1.
		retryStrategy: attempt => backoffMs(attempt - 1, BACKOFF),
		// A caller that has a fallback must fail at once, and a write whose caller got an error must not be executed later.
		enableOfflineQueue: false,
		maxRetriesPerRequest: 0
	});
	let losses = 0;
	client.on("close", () => losses++);
	let problem: Error | undefined;
	client.on("ready", () => {
		problem = undefined;
	});
	// Without a listener ioredis prints every failed attempt. Commands reject, and health reports it.
	client.on("error", error => {
		problem = error;
	});

	return {
		name: "redis",
		where: host,
		advice,
		access,
		client,
		get losses() {
			return losses;
		},
		onReconnect: listener => void client.on("ready", listener),
		async check() {
			try {
				// The very first command would only start the connection, and reject.
				if (client.status === "wait") await client.connect();
				await client.ping();
			} catch (error) {
				// The error of a command says that there is no connection, not why.
				throw unavailable("Redis", problem ?? error);
			}
		},
		async close() {
			// Commands that were sent get their answers first.
			if (client.status === "ready") await client.quit().catch(() => {});
			client.disconnect();
		}
	};
}

/** Mixin: the service starts once Redis answers, or at once if it is not required. Health includes Redis; the last user closes it. */
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
