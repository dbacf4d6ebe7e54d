// The four servers with TLS, certificates from their own authority, and passwords. Needs openssl.
import { execFile, execFileSync } from "node:child_process";
import { appendFileSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import cassandraDriver from "cassandra-driver";
import pg from "pg";
import type { Command } from "../infra/server.ts";
import { testServers } from "../infra/test-servers.ts";
import { freePorts } from "../test/process.ts";

export const USERNAME = "plaza";
/** With characters that have a meaning in a URL. */
export const PASSWORD = "p@ss/word:1";
const STORE_PASSWORD = "changeit";

/** An authority, and its certificate for localhost: for the name only, not for an address. */
function certificates(directory: string) {
	const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "ignore" });
	const key = ["-newkey", "rsa:2048", "-nodes"];
	openssl("req", "-x509", ...key, "-subj", "/CN=an authority", "-days", "2", "-keyout", "authority.key", "-out", "authority.pem");
	openssl("req", ...key, "-subj", "/CN=a server", "-keyout", "server.key", "-out", "server.csr");
	const at = (name: string) => join(directory, name);
	writeFileSync(at("names"), "subjectAltName=DNS:localhost");
	const by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
	openssl("x509", "-req", "-in", "server.csr", ...by, "-out", "server.crt");
	const pair = ["-inkey", "server.key", "-in", "server.crt", "-passout", `pass:${STORE_PASSWORD}`];
	openssl("pkcs12", "-export", ...pair, "-out", "server.p12");
	writeFileSync(at("server.pem"), readFileSync(at("server.key"), "utf8") + readFileSync(at("server.crt"), "utf8"));
	return {
		authority: at("authority.pem"),
		key: at("server.key"),
		cert: at("server.crt"),
		pem: at("server.pem"),
		store: at("server.p12")
	};
}

type Files = ReturnType<typeof certificates>;

const valueAfter = ({ args }: Command, option: string) => args[args.indexOf(option) + 1] as string;

/** Kafka's settings for a listener with TLS and passwords; the plain listener is for Kafka itself. */
const kafkaSettings = ({ pem }: Files, port: number, securePort: number) => {
	const jaas = (mechanism: string, module: string, more = "") =>
		`listener.name.clients.${mechanism}.sasl.jaas.config=org.apache.kafka.common.security.${module} required${more};`;
	return `
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1},CLIENTS://127.0.0.1:${securePort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port},CLIENTS://localhost:${securePort}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENTS:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
${jaas("plain", "plain.PlainLoginModule", ` user_${USERNAME}="${PASSWORD}"`)}
${jaas("scram-sha-256", "scram.ScramLoginModule")}
${jaas("scram-sha-512", "scram.ScramLoginModule")}
ssl.keystore.type=PEM
ssl.keystore.location=${pem}
`;
};

/** Adds the user to the SCRAM users that Kafka stores. */
const addScramUser = (classpath: string, port: number, bits: 256 | 512) => {
	const password = `SCRAM-SHA-${bits}=[password=${PASSWORD}]`;
	const user = ["--entity-type", "users", "--entity-name", USERNAME, "--alter", "--add-config", password];
	return promisify(execFile)("java", [
		"-cp",
		classpath,
		"kafka.admin.ConfigCommand",
		"--bootstrap-server",
		`127.0.0.1:${port}`,
		...user
	]);
};

const cassandraSettings = ({ store }: Files) => ({
	authenticator: "PasswordAuthenticator",
	client_encryption_options: {
		enabled: true,
		optional: false,
		keystore: store,
		keystore_password: STORE_PASSWORD,
		store_type: "PKCS12"
	}
});

/** As the default user, which Cassandra creates some time after its start. */
async function addCassandraUser(port: number) {
	const client = new cassandraDriver.Client({
		contactPoints: [`127.0.0.1:${port}`],
		localDataCenter: "datacenter1",
		credentials: { username: "cassandra", password: "cassandra" },
		sslOptions: { rejectUnauthorized: false }
	});
	const role = `create role if not exists ${USERNAME} with login = true and superuser = true and password = '${PASSWORD}'`;
	await client.execute(role).finally(() => client.shutdown());
}

const HBA = `
hostssl all ${USERNAME} 127.0.0.1/32 scram-sha-256
host all ${USERNAME} all reject
host all postgres 127.0.0.1/32 trust
`;

async function addPostgresUser(port: number) {
	const client = new pg.Client({ host: "127.0.0.1", port, user: "postgres", database: "pocdb" });
	await client.connect();
	await client.query(`create role ${USERNAME} login superuser password '${PASSWORD}'`).finally(() => client.end());
}

/** Settings and files of Postgres: no other user may read its key. */
function postgresSettings({ key, cert }: Files, place: string, { uid, gid }: Command) {
	const own = (name: string, text: string | Buffer) => {
		const file = join(place, name);
		writeFileSync(file, text, { mode: 0o600 });
		if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
		return file;
	};
	own("pg_hba.conf", HBA);
	const files = { ssl_key_file: own("server.key", readFileSync(key)), ssl_cert_file: own("server.crt", readFileSync(cert)) };
	return { ssl: "on", password_encryption: "scram-sha-256", ...files };
}

export interface SecuredServers {
	/** The authority's certificate, a PEM file. */
	authority: string;
	/** Plaza's environment variables for them; NODE_EXTRA_CA_CERTS is not among them. */
	environment: Record<string, string>;
	remove(): Promise<void>;
}

/** All four answer when this resolves. Call it once in a process: `infra/` reads its environment when it is imported. */
export async function securedServers(): Promise<SecuredServers> {
	const directory = mkdtempSync(join(tmpdir(), "plaza-secured-"));
	const files = certificates(directory);
	const own = await testServers(directory);
	Object.assign(process.env, own);
	const { install } = await import("../infra/install.ts");
	const { kafka } = await import("../infra/kafka.ts");
	const { cassandra } = await import("../infra/cassandra.ts");
	const { postgres } = await import("../infra/postgres.ts");
	const { redis } = await import("../infra/redis.ts");
	const { start, wipe } = await import("../infra/server.ts");
	// Otherwise these would be the shared servers, which would be wiped at the end.
	if (String(kafka.port) !== own.KAFKA_PORT) throw new Error("infra/ was imported before");
	const [kafkaPort, redisPort] = (await freePorts(2)) as [number, number];

	const servers = [
		{
			...kafka,
			async prepare(dir: string) {
				const command = await kafka.prepare(dir);
				appendFileSync(join(dir, "server.properties"), kafkaSettings(files, kafka.port, kafkaPort));
				return command;
			}
		},
		{
			...cassandra,
			async prepare(dir: string) {
				const { args, ...command } = await cassandra.prepare(dir);
				const file = join(dir, "conf", "cassandra.yaml");
				writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...cassandraSettings(files) }));
				// Otherwise it waits ten seconds before it creates its first user, for nodes that do not exist.
				return { ...command, args: ["-Dcassandra.superuser_setup_delay_ms=0", ...args] };
			},
			ready: () => addCassandraUser(cassandra.port)
		},
		{
			...postgres,
			async prepare(dir: string) {
				const command = await postgres.prepare(dir);
				const settings = Object.entries(postgresSettings(files, valueAfter(command, "-D"), command));
				return { ...command, args: [...command.args, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])] };
			}
		},
		{
			...redis,
			async prepare(dir: string) {
				const command = await redis.prepare(dir);
				const users = join(dir, "users");
				writeFileSync(users, `user default on nopass +ping +info\nuser ${USERNAME} on >${PASSWORD} ~* &* +@all\n`);
				const keys = ["--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.authority];
				const tls = ["--tls-port", `${redisPort}`, ...keys, "--tls-auth-clients", "no"];
				return { ...command, args: [...command.args, ...tls, "--aclfile", users] };
			}
		}
	];
	const remove = async () => {
		await Promise.all(servers.map(wipe));
		rmSync(directory, { recursive: true, force: true });
	};
	try {
		await install(servers);
		await Promise.all(servers.map(start));
		const classpath = valueAfter(await kafka.prepare(join(directory, kafka.name)), "-cp");
		const scram = ([256, 512] as const).map(bits => addScramUser(classpath, kafka.port, bits));
		await Promise.all([...scram, addPostgresUser(postgres.port)]);
	} catch (error) {
		await remove();
		throw error;
	}
	const user = `${USERNAME}:${encodeURIComponent(PASSWORD)}`;
	return {
		authority: files.authority,
		environment: {
			KAFKA_BROKERS: `localhost:${kafkaPort}`,
			KAFKA_TLS: "on",
			KAFKA_USERNAME: USERNAME,
			KAFKA_PASSWORD: PASSWORD,
			CASSANDRA_CONTACT_POINTS: `localhost:${cassandra.port}`,
			CASSANDRA_TLS: "on",
			CASSANDRA_USERNAME: USERNAME,
			CASSANDRA_PASSWORD: PASSWORD,
			DATABASE_URL: `postgres://${user}@localhost:${postgres.port}/pocdb?sslmode=verify-full`,
			REDIS_URL: `rediss://${user}@localhost:${redisPort}`
		},
		remove
	};
}
