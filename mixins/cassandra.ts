/**
 * Cassandra for a Moleculer service: one client for the whole process, and the service's tables created before it starts.
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

// The driver has these; its types omit them.
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
	/** `host` or `host:port`: nodes of the data centre to use. */
	contactPoints: string[];
	/** Created if it does not exist; statements need not name it. */
	keyspace: string;
	/** Copies of each row in a data centre, when the keyspace is created. Default 1. */
	replication?: number;
	/**
	 * Uses TLS, and accepts certificates from authorities that Node trusts (NODE_EXTRA_CA_CERTS adds some), for the node's address or for a
	 * name among the contact points. Default: plain text.
	 */
	tls?: boolean;
	/** Sent unencrypted: use them with TLS only. Default: none. */
	credentials?: { username: string; password: string };
	/** What to do when it does not answer, for log lines. */
	advice?: string;
	/** What to set when it refuses the credentials, for log lines. */
	access?: string;
}

export interface Cassandra extends Dependency {
	/**
	 * Read this property at each use: after an outage it is another client. It prepares statements, reads and writes with the local quorum, and
	 * repeats a statement that got no answer, so every statement must be idempotent. During an outage statements fail within seconds.
	 */
	readonly client: Client;
	/** Creates the keyspace and these tables if they do not exist; resolves once all nodes know them. */
	createTables(tables: readonly string[]): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 2_000;
const READ_TIMEOUT_MS = 4_000;
const CHECK_TIMEOUT_MS = 1_000;
/** A change of the schema flushes tables and waits for every node. */
const SCHEMA_TIMEOUT_MS = 20_000;
/** The driver's own schedule grows to ten minutes. */
const RECONNECT_AFTER_MS = 1_000;
/** Closes a connection on which more than this number of requests got no answer. With the driver's own limit a single caller waits minutes. */
const DEFUNCT_AFTER_TIMEOUTS = 8;

/** The local data centre is that of the contact point that answered: by now the driver has read `system.local` there. */
class ContactedDataCenter extends policies.loadBalancing.DefaultLoadBalancingPolicy {
	override init(...[client, ...others]: Parameters<policies.loadBalancing.LoadBalancingPolicy["init"]>) {
		this.localDc = client.controlConnection.host.datacenter;
		super.init(client, ...others);
	}
}

/**
 * The driver accepts any certificate by default. It connects to addresses, which it resolves from the contact points or gets from nodes, while
 * most certificates are for names: a certificate for a name among the contact points is accepted too.
 */
function tlsOptions(contactPoints: string[]): ConnectionOptions {
	const names = contactPoints.map(point => point.replace(/:\d+$/, "")).filter(host => !isIP(host));
	return {
		rejectUnauthorized: true,
		checkServerIdentity: (address, certificate) => {
			const wrong = checkServerIdentity(address, certificate);
			return wrong && names.some(name => !checkServerIdentity(name, certificate)) ? undefined : wrong;
		}
	};
}

/** A client ignores `shutdown` while it connects. */
async function shutdown(client: Client) {
	if (client.connecting) await client.connect().catch(() => {});
	await client.shutdown();
}

/** A Cassandra cluster. */
export function openCassandra(options: CassandraOptions): Cassandra {
	const { contactPoints, keyspace, replication = 1, tls, credentials } = options;
	const { advice = "start it, or correct its contact points", access = "its credentials" } = options;
	let current: Client | undefined;
	let isCreated = false;

	const open = () => {
		const loadBalancing = new ContactedDataCenter();
		const client = new Client({
			contactPoints,
			keyspace: isCreated ? keyspace : undefined,
			sslOptions: tls ? tlsOptions(contactPoints) : undefined,
			authProvider: credentials && new auth.PlainTextAuthProvider(credentials.username, credentials.password),
			queryOptions: { prepare: true, consistency: types.consistencies.localQuorum, isIdempotent: true },
			policies: { loadBalancing, reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_AFTER_MS) },
			socketOptions: {
				connectTimeout: CONNECT_TIMEOUT_MS,
				readTimeout: READ_TIMEOUT_MS,
				defunctReadTimeoutThreshold: DEFUNCT_AFTER_TIMEOUTS
			}
		});
		// A client that has lost its last node reconnects with twice the connections, each time, and leaks them: a new client replaces it.
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
		advice,
		access,
		get client() {
			current ??= open();
			return current;
		},
		async check() {
			await connection.client.execute("select key from system.local", [], { prepare: false, readTimeout: CHECK_TIMEOUT_MS });
		},
		async createTables(tables) {
			const { client } = connection;
			await client.connect();
			// All callers use the same node: two nodes that evaluate IF NOT EXISTS at the same time can create one table twice.
			const [host] = client
				.getState()
				.getConnectedHosts()
				.toSorted((a, b) => (a.address < b.address ? -1 : 1));
			const execution = { prepare: false, host, readTimeout: SCHEMA_TIMEOUT_MS };
			const strategy = `{ 'class': 'NetworkTopologyStrategy', 'replication_factor': ${replication} }`;
			await client.execute(`create keyspace if not exists ${keyspace} with replication = ${strategy}`, [], execution);
			await client.execute(`use ${keyspace}`, [], execution);
			for (const table of tables) await client.execute(table, [], execution);
			if (!(await client.metadata.checkSchemaAgreement())) throw unavailable("Cassandra's agreement on the schema");
			isCreated = true;
		},
		async close() {
			if (current) await shutdown(current);
		}
	};
	return connection;
}

/** Mixin: the service starts once Cassandra answers and its tables exist, however long that takes. Health includes Cassandra; the last user closes it. */
export function cassandra(connection: Cassandra, tables: readonly string[]): Partial<ServiceSchema> {
	return {
		...dependency(connection),
		async started(this: Service) {
			let wrong: unknown;
			const check = () =>
				connection.createTables(tables).catch(error => {
					if (isUnavailable(error)) throw error;
					wrong = error;
				});
			await waitUntilReachable({ ...connection, check }, this.logger, () => this.broker.stopping);
			if (wrong) throw wrong;
		}
	};
}
