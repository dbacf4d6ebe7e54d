// A Kafka server for one test, which it can kill, suspend and restart. Needs Java on the PATH.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { testServers } from "../../../infra/test-servers.ts";

const INFRA = join(import.meta.dirname, "../../../infra/main.ts");
const INFRA_TIMEOUT_MS = 240_000;

export interface KafkaServer {
	brokers: string[];
	/** Starts it again on its data; resolves once it answers. */
	start(): Promise<void>;
	/** SIGKILL. */
	kill(): Promise<void>;
	/** Suspends or resumes it. */
	signal(signal: "SIGSTOP" | "SIGCONT"): void;
	/** Stops it and deletes its data. */
	remove(): Promise<void>;
}

/** Resolves once the server answers. */
export async function kafkaServer(): Promise<KafkaServer> {
	const directory = await mkdtemp(join(tmpdir(), "plaza-kafka-"));
	const environment = await testServers(directory);
	const infra = async (verb: string) => {
		const options = { env: { ...process.env, ...environment }, timeout: INFRA_TIMEOUT_MS };
		await promisify(execFile)(process.execPath, [INFRA, verb, "kafka"], options);
	};
	const start = () => infra("up");
	await start();
	return {
		brokers: [environment.KAFKA_BROKERS],
		start,
		kill: () => infra("kill"),
		signal(signal) {
			const [pid] = readFileSync(join(directory, "kafka", "pid"), "utf8").split("\n");
			process.kill(Number(pid), signal);
		},
		async remove() {
			await infra("wipe");
			await rm(directory, { recursive: true, force: true });
		}
	};
}
