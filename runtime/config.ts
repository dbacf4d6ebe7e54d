// The only reader of process.env. Every variable is optional; an invalid value stops the start with one line.
import { hostname } from "node:os";
import { serviceNames } from "../services/contract.ts";
import { exitWithError } from "./exit-with-error.ts";
import { ConfigError, parseVariables } from "./variables.ts";

/** User name and password must be given together: otherwise the server would reject the connection with a less clear error. */
function credentials<More extends object>(of: string, username: string | undefined, password: string | undefined, more: More) {
	if (!username && !password) return undefined;
	if (!username || !password)
		throw new ConfigError(
			`${of}_${username ? "PASSWORD" : "USERNAME"} is missing: give ${of}_USERNAME and ${of}_PASSWORD, or neither`
		);
	return { ...more, username, password };
}

/**
 * Reads and validates the environment. `repl`: for the REPL, which in the cluster profile joins the running nodes as a node that runs no services.
 * Throws `ConfigError`.
 */
export function readConfig(env: NodeJS.ProcessEnv, { repl = false } = {}) {
	const values = parseVariables(env);
	const embedded = values.PROFILE === "embedded";
	const isReplNode = repl && !embedded;
	const services = values.SERVICES ?? (isReplNode ? [] : [...serviceNames]);
	const nodeName = isReplNode ? `repl-${process.pid}` : (values.SERVICES?.join("-") ?? "plaza");
	return {
		profile: values.PROFILE,
		host: values.HOST ?? (embedded ? "127.0.0.1" : "0.0.0.0"),
		httpPort: values.HTTP_PORT,
		extraHttpPorts: values.EXTRA_HTTP_PORTS,
		grpcPort: values.GRPC_PORT,
		dataDir: values.DATA_DIR,
		kafkaBrokers: values.KAFKA_BROKERS,
		kafkaTls: values.KAFKA_TLS === "on",
		kafkaSasl: credentials("KAFKA", values.KAFKA_USERNAME, values.KAFKA_PASSWORD, { mechanism: values.KAFKA_SASL }),
		cassandraContactPoints: values.CASSANDRA_CONTACT_POINTS,
		cassandraTls: values.CASSANDRA_TLS === "on",
		cassandraCredentials: credentials("CASSANDRA", values.CASSANDRA_USERNAME, values.CASSANDRA_PASSWORD, {}),
		databaseUrl: values.DATABASE_URL,
		redisUrl: values.REDIS_URL,
		services: services as string[],
		logLevel: values.LOG_LEVEL,
		selectionNames: values.SELECTION_NAMES,
		guests: (values.GUESTS ?? (embedded ? "on" : "off")) === "on",
		jwtSecret: values.JWT_SECRET,
		maxFramesPerSecond: values.MAX_FRAMES_PER_SECOND,
		maxRequestsPerSecond: values.MAX_REQUESTS_PER_SECOND,
		maxSocketsPerAddress: values.MAX_SOCKETS_PER_ADDRESS,
		maxSocketsPerAccount: values.MAX_SOCKETS_PER_ACCOUNT,
		trustedProxies: values.TRUSTED_PROXIES,
		holdSeconds: values.HOLD_SECONDS,
		orderTimeoutMinutes: values.ORDER_TIMEOUT_MINUTES,
		/** In whole currency units. */
		paymentTestLimit: values.PAYMENT_TEST_LIMIT,
		metricsPort: isReplNode ? 0 : values.METRICS_PORT,
		metricsHost: embedded ? "127.0.0.1" : (values.HOST ?? "0.0.0.0"),
		// No dots: Moleculer separates the parts of its transporter topics by dots.
		nodeID: values.NODE_ID ?? `${nodeName}-${hostname()}`.replace(/[^\w-]/g, "_"),
		topicPartitions: values.TOPIC_PARTITIONS,
		topicReplication: values.TOPIC_REPLICATION,
		grpcToken: values.GRPC_TOKEN,
		grpcTlsCert: values.GRPC_TLS_CERT,
		grpcTlsKey: values.GRPC_TLS_KEY,
		grpcReflection: values.GRPC_REFLECTION === "on",
		allowedOrigins: values.ALLOWED_ORIGINS,
		/** The command of the npm script that runs this process; empty if npm did not start it. */
		npmScript: env.npm_lifecycle_script ?? ""
	};
}

export type Config = ReturnType<typeof readConfig>;

function readConfigOrExit(): Config {
	try {
		return readConfig(process.env, { repl: process.argv.includes("--repl") });
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		return exitWithError(error.message);
	}
}

export const config = readConfigOrExit();
