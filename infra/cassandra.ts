// Runs one Cassandra 5 node from its jars, with the JVM options of cassandra.jvm.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import cassandraDriver from "cassandra-driver";
import { jarsDir, java, maven } from "./install.ts";
import type { Server } from "./server.ts";
import { ports } from "./settings.ts";

const port = ports.cassandra;
const storagePort = port + 1;
const jars = ["org.apache.cassandra:cassandra-all:5.0.6"];

// JSON is valid YAML and quotes every path safely. Settings that are absent keep Cassandra's defaults.
const configurationOf = (dir: string) =>
	JSON.stringify({
		cluster_name: "plaza",
		partitioner: "org.apache.cassandra.dht.Murmur3Partitioner",
		num_tokens: 1,
		listen_address: "127.0.0.1",
		storage_port: storagePort,
		rpc_address: "127.0.0.1",
		native_transport_port: port,
		seed_provider: [
			{ class_name: "org.apache.cassandra.locator.SimpleSeedProvider", parameters: [{ seeds: `127.0.0.1:${storagePort}` }] }
		],
		endpoint_snitch: "SimpleSnitch",
		data_file_directories: [join(dir, "sstables")],
		commitlog_directory: join(dir, "commitlog"),
		saved_caches_directory: join(dir, "saved_caches"),
		hints_directory: join(dir, "hints"),
		// An acknowledged write must be durable: with the default (periodic syncs) a killed server loses up to ten seconds of acknowledged writes.
		commitlog_sync: "batch",
		auto_snapshot: false,
		concurrent_compactors: 1
	});

const LOGBACK = `<configuration>
<appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
<encoder><pattern>%-5level %date{ISO8601} [%thread] %logger{0}: %msg%n</pattern></encoder>
</appender>
<root level="INFO"><appender-ref ref="OUT"/></root>
</configuration>
`;

export const cassandra: Server = {
	name: "cassandra",
	port,
	tools: [java, maven],
	jars,
	async prepare(dir) {
		const libs = jarsDir(jars);
		const conf = join(dir, "conf");
		mkdirSync(conf, { recursive: true });
		writeFileSync(join(conf, "cassandra.yaml"), configurationOf(dir));
		writeFileSync(join(conf, "logback.xml"), LOGBACK);
		const agent = readdirSync(libs).find(file => file.startsWith("jamm-"))!;
		const options = [
			`@${join(import.meta.dirname, "cassandra.jvm")}`,
			`-javaagent:${join(libs, agent)}`,
			`-XX:HeapDumpPath=${dir}`,
			`-Djava.io.tmpdir=${dir}`,
			`-Dcassandra.storagedir=${dir}`,
			`-Dcassandra.logdir=${dir}`,
			`-Dcassandra.config=${pathToFileURL(join(conf, "cassandra.yaml"))}`
		];
		return {
			file: "java",
			args: [...options, "-cp", `${conf}:${join(libs, "*")}`, "org.apache.cassandra.service.CassandraDaemon"]
		};
	},
	async ready() {
		const client = new cassandraDriver.Client({
			contactPoints: [`127.0.0.1:${port}`],
			localDataCenter: "datacenter1",
			socketOptions: { connectTimeout: 2000, readTimeout: 5000 }
		});
		try {
			await client.connect();
			await client.execute("select release_version from system.local");
		} finally {
			await client.shutdown();
		}
	}
};
