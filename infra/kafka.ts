// Runs one Kafka 4 node from its jars: broker and controller in one process (KRaft).
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { jarsDir, java, maven } from "./install.ts";
import type { Server } from "./server.ts";
import { ports } from "./settings.ts";

const run = promisify(execFile);
const port = ports.kafka;
const controllerPort = port + 1;
const jars = ["org.apache.kafka:kafka_2.13:4.1.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"];

const propertiesOf = (logs: string) => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
log.dirs=${logs}
# The code creates its topics, with the partitions that it needs; a misspelt name must not create a topic.
auto.create.topics.enable=false
# A dead-letter record is longer than its original: it carries additional headers.
message.max.bytes=4194304
# Do not wait for further members before the first rebalance.
group.initial.rebalance.delay.ms=0
# One node: no replicas, and few partitions for a fast start.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
`;

/**
 * Returns the number of brokers in the cluster: a Metadata request (API key 3, version 1) for no topic, see kafka.apache.org/protocol.
 * It is the smallest request that a broker answers only when it is ready; a client library would send many more, and retry by itself.
 */
async function countBrokers(): Promise<number> {
	const request = Buffer.from([0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0]);
	const signal = AbortSignal.timeout(3000);
	const socket = connect(port, "127.0.0.1");
	try {
		await once(socket, "connect", { signal });
		socket.write(request);
		let response = Buffer.alloc(0);
		while (response.length < 12) response = Buffer.concat([response, (await once(socket, "data", { signal }))[0]]);
		return response.readInt32BE(8); // The number of brokers follows the length and the correlation id.
	} finally {
		socket.destroy();
	}
}

export const kafka: Server = {
	name: "kafka",
	port,
	tools: [java, maven],
	jars,
	async prepare(dir) {
		const classpath = join(jarsDir(jars), "*");
		const logs = join(dir, "logs");
		const properties = join(dir, "server.properties");
		writeFileSync(properties, propertiesOf(logs));
		if (!existsSync(join(logs, "meta.properties"))) {
			// The cluster id is 16 random bytes. Its text must not start with "-": the tool would read it as an option.
			const id = `P${randomBytes(16).toString("base64url").slice(1)}`;
			await run("java", ["-cp", classpath, "kafka.tools.StorageTool", "format", "-t", id, "-c", properties]);
		}
		// Without a configuration Log4j writes to the console; only the level must be set.
		const options = ["-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Dorg.apache.logging.log4j.level=INFO"];
		return { file: "java", args: [...options, "-cp", classpath, "kafka.Kafka", properties] };
	},
	async ready() {
		if ((await countBrokers()) === 0) throw new Error("the broker has not joined its controller");
	}
};
