/**
 * Cassandra for a Moleculer service: one client for the whole process, and the service's tables made before it starts.
 *
 *     const connection = openCassandra({ contactPoints: ["localhost:9042"], keyspace: "shop" });   // nothing connects yet
 *
 *     export default {
 *       name: "visits",
 *       mixins: [cassandra(connection, ["create table if not exists visits (page text primary key, last timestamp)"])],
 *       actions: { get: ctx => connection.client.execute("select last from visits where page = ?", [ctx.params.page]) }
 *     };
 */
import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { auth, Client, policies, types } from "cassandra-driver";
import type { Service, ServiceSchema } from "moleculer";
import { type Dependency, dependency, waitUntilReachable } from "./dependency.ts";
import { isUnavailable, unavailable } from "./errors.ts";

// The driver has these; its types leave them out.
declare module "cassandra-driver" {
	interface Client {
		readonly connecting?: boolean;
		readonly controlConnection: { readonly host: Host };
	}
	namespace metadata {
		interface Metadata {
			checkSchemaAgreement(): Promise<boolean>;
		}
	}
	namespace policies.loadBalancing {
		interface DefaultLoadBalancingPolicy {
			localDc: string;
		}
	}
}

export interface CassandraOptions {
	/** `host` or `host:port`: nodes of the data centre that is to be used. */
	contactPoints: string[];
	/** Made if it is missing; statements need not name it. */
	keyspace: string;
	/** Copies of each row in a data centre, where the keyspace is made. Default 1. */
	replication?: number;
	/**
	 * Speaks TLS, and believes certificates from authorities that Node believes (NODE_EXTRA_CA_CERTS adds some), for the node's address or for
	 * a name among the contact points. Default: plain text.
	 */
	tls?: boolean;
	/** Handed over as they are: give them over TLS alone. Default: nothing. */
	credentials?: { username: string; password: string };
}

export interface Cassandra extends Dependency {
	/**
	 * Ask for it anew each time: after Cassandra was away it is another one. It prepares what it executes, reads and writes by the local quorum,
	 * and repeats what got no answer, so every statement must be idempotent. What fails because Cassandra is away fails within seconds.
	 */
	readonly client: Client;
	/** Makes the keyspace and these tables where they are missing; resolves once all nodes know them. */
	make(tables: readonly string[]): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 2_000;
const READ_TIMEOUT_MS = 4_000;
const CHECK_TIMEOUT_MS = 1_000;
/** A change of the schema flushes tables and waits for every node. */
const SCHEMA_TIMEOUT_MS = 20_000;
/** The driver's own schedule grows to ten minutes. */
const RECONNECT_AFTER_MS = 1_000;
/** A connection on which more than so many requests at once got no answer is given up. The driver's own limit takes a lone caller minutes to reach. */
const DEFUNCT_AFTER_TIMEOUTS = 8;

/** The local data centre is that of the contact point that answered: by now the driver has read `system.local` there. */
class ContactedDataCenter extends policies.loadBalancing.DefaultLoadBalancingPolicy {
	override init(...[client, ...others]: Parameters<policies.loadBalancing.LoadBalancingPolicy["init"]>) {
		this.localDc = client.controlConnection.host.datacenter;
		super.init(client, ...others);
	}
}

/**
 * The driver would believe any certificate unless told. It connects to addresses, from its own look-ups of the contact points and from what nodes
 * say of each other; certificates are for names more often: one for a name that was given as a contact point is as good.
 */
function believing(contactPoints: string[]): ConnectionOptions {
	const names = contactPoints.map(point => point.replace(/:\d+$/, "")).filter(host => !isIP(host));
	return {
		rejectUnauthorized: true,
		checkServerIdentity: (address, certificate) => {
			const wrong = checkServerIdentity(address, certificate);
			return wrong && names.some(name => !checkServerIdentity(name, certificate)) ? undefined : wrong;
		}
	};
}

/** While it connects, a client takes no notice of being shut down. */
async function shutdown(client: Client) {
	if (client.connecting) await client.connect().catch(() => {});
	await client.shutdown();
}

/** A Cassandra cluster. */
export function openCassandra({ contactPoints, keyspace, replication = 1, tls, credentials }: CassandraOptions): Cassandra {
	let current: Client | undefined;
	let isMade = false;

	const open = () => {
		const loadBalancing = new ContactedDataCenter();
		const client = new Client({
			contactPoints,
			keyspace: isMade ? keyspace : undefined,
			sslOptions: tls ? believing(contactPoints) : undefined,
			authProvider: credentials && new auth.PlainTextAuthProvider(credentials.username, credentials.password),
			queryOptions: { prepare: true, consistency: types.consistencies.localQuorum, isIdempotent: true },
			policies: { loadBalancing, reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_AFTER_MS) },
			socketOptions: {
				connectTimeout: CONNECT_TIMEOUT_MS,
				readTimeout: READ_TIMEOUT_MS,
				defunctReadTimeoutThreshold: DEFUNCT_AFTER_TIMEOUTS
			}
		});
		// A client that has lost its last node comes back with twice the connections, each time, and they outlive it: it is left for a new one.
		const onDown = () => {
			if (client.hosts.values().some(host => host.isUp() && host.datacenter === loadBalancing.localDc)) return;
			if (current === client) current = undefined;
			void shutdown(client);
		};
		client.hosts.on("add", host => host.on("down", onDown));
		return client;
	};
	const connection: Cassandra = {
		name: "cassandra",
		where: contactPoints.join(),
		advice: "start it, or set CASSANDRA_CONTACT_POINTS",
		access: "CASSANDRA_USERNAME and CASSANDRA_PASSWORD",
		get client() {
			current ??= open();
			return current;
		},
		async check() {
			await connection.client.execute("select key from system.local", [], { prepare: false, readTimeout: CHECK_TIMEOUT_MS });
		},
		async make(tables) {
			const { client } = connection;
			await client.connect();
			// Everybody asks the same node: two that judge IF NOT EXISTS at the same time can make one table twice.
			const [host] = client
				.getState()
				.getConnectedHosts()
				.toSorted((a, b) => (a.address < b.address ? -1 : 1));
			const options = { prepare: false, host, readTimeout: SCHEMA_TIMEOUT_MS };
			const strategy = `{ 'class': 'NetworkTopologyStrategy', 'replication_factor': ${replication} }`;
			await client.execute(`create keyspace if not exists ${keyspace} with replication = ${strategy}`, [], options);
			await client.execute(`use ${keyspace}`, [], options);
			for (const table of tables) await client.execute(table, [], options);
			if (!(await client.metadata.checkSchemaAgreement())) throw unavailable("Cassandra's agreement on the schema");
			isMade = true;
		},
		async close() {
			if (current) await shutdown(current);
		}
	};
	return connection;
}

/** Mixin: the service starts once Cassandra answers and its tables are there, however long that takes; health shows Cassandra, and the last user closes it. */
export function cassandra(connection: Cassandra, tables: readonly string[]): Partial<ServiceSchema> {
	return {
		...dependency(connection),
		async started(this: Service) {
			let wrong: unknown;
			const check = () =>
				connection.make(tables).catch(error => {
					if (isUnavailable(error)) throw error;
					wrong = error;
				});
			await waitUntilReachable({ ...connection, check }, this.logger, () => this.broker.stopping);
			if (wrong) throw wrong;
		}
	};
}
