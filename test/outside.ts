// Reads and writes the stores and topics of the cluster with independent clients: kcat, psql, redis-cli and Cassandra's driver.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Client } from "cassandra-driver";
import { within } from "./process.ts";

const {
	KAFKA_BROKERS = "localhost:9092",
	CASSANDRA_CONTACT_POINTS = "localhost:9042",
	DATABASE_URL = "postgres://postgres:postgres@localhost:5432/pocdb",
	REDIS_URL = "redis://localhost:6379"
} = process.env;

const COMMAND_MS = 60_000;

/** Runs a program with this input. Resolves to its standard output; rejects with its standard error. */
async function run(file: string, args: string[], input = ""): Promise<string> {
	const child = spawn(file, args, { stdio: "pipe", timeout: COMMAND_MS });
	let [out, errorOutput] = ["", ""];
	child.stdout.setEncoding("utf8").on("data", text => {
		out += text;
	});
	child.stderr.setEncoding("utf8").on("data", text => {
		errorOutput += text;
	});
	// A program that reads no input may have ended already; only its exit code counts.
	child.stdin.on("error", () => {});
	child.stdin.end(input);
	const [code] = (await within(once(child, "close"), COMMAND_MS + 5000, () => `${file} ${args.join(" ")}`)) as [number];
	if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}: ${errorOutput}`);
	return out;
}

export interface KafkaRecord {
	topic: string;
	partition: number;
	offset: number;
	key: string | null;
	payload: string | null;
	headers: Record<string, string>;
}

/** The records of a topic since this time. */
export async function kafkaRecords(topic: string, sinceMs: number): Promise<KafkaRecord[]> {
	const out = await run("kcat", ["-b", KAFKA_BROKERS, "-C", "-t", topic, "-o", `s@${Math.floor(sinceMs)}`, "-e", "-q", "-J"]);
	return out
		.split("\n")
		.filter(Boolean)
		.map(line => {
			const { headers = [], ...record } = JSON.parse(line) as KafkaRecord & { headers?: string[] };
			const pairs = Array.from({ length: headers.length / 2 }, (_, n) => headers.slice(2 * n, 2 * n + 2) as [string, string]);
			return { ...record, headers: Object.fromEntries(pairs) };
		});
}

/**
 * Writes one record to a topic, as a foreign client does: by default without headers, and to the partition that librdkafka chooses for the key.
 * An empty value with a key gives a record without a value.
 */
export async function putOnKafka(
	topic: string,
	value: string,
	key?: string,
	headers: Record<string, string> = {}
): Promise<void> {
	const [withKey, line] = key === undefined ? [[], value] : [["-Z", "-K", "\t"], `${key}\t${value}`];
	const withHeaders = Object.entries(headers).flatMap(([name, text]) => ["-H", `${name}=${text}`]);
	await run("kcat", ["-b", KAFKA_BROKERS, "-P", "-t", topic, ...withKey, ...withHeaders], line);
}

export async function partitionsOf(topic: string): Promise<number> {
	const { topics } = JSON.parse(await run("kcat", ["-b", KAFKA_BROKERS, "-L", "-J", "-t", topic])) as {
		topics: { partitions: unknown[] }[];
	};
	return topics[0]?.partitions.length ?? 0;
}

/** Runs a query. Resolves to its rows, with all columns as strings. */
export async function psql(query: string): Promise<string[][]> {
	const out = await run("psql", [DATABASE_URL, "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", query]);
	return out
		.split("\n")
		.filter(Boolean)
		.map(line => line.split("\t"));
}

export const redis = async (...command: string[]) => (await run("redis-cli", ["-u", REDIS_URL, ...command])).trim();

/** Runs `use` with a Cassandra client in the keyspace `plaza`. */
export async function withCassandra<T>(use: (client: Client) => Promise<T>): Promise<T> {
	const contactPoints = CASSANDRA_CONTACT_POINTS.split(",").map(point => point.replace("localhost", "127.0.0.1"));
	const client = new Client({ contactPoints, localDataCenter: "datacenter1", keyspace: "plaza" });
	return use(client).finally(() => client.shutdown());
}
