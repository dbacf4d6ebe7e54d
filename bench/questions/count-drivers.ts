// Counts what a process sends, at the narrowest place of each driver: where one request is written to its connection.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { add, type Counts, type Resource } from "./counts.ts";

// biome-ignore lint/suspicious/noExplicitAny: these are inner functions of packages, which have no types
type Inner = any;
type Count = (resource: Resource, detail: string) => void;

/** Longer texts differ in their values, not in what they do. */
const DETAIL_CHARACTERS = 140;
/** What the names of the topics of Moleculer's transporter begin with. */
const TRANSPORTER_TOPICS = "MOL-";
const OPCODES: Record<number, string> = { 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" };
/** Each has a row of its own. */
const KAFKA_REQUESTS = ["Produce", "Fetch", "OffsetCommit", "Heartbeat"];
/** Each package that brings its own copy of ws. */
const WS_OWNERS = ["", "node_modules/engine.io/", "node_modules/socket.io-adapter/"];

/** One line, in which lists of any length look alike. */
export const shortened = (text: string) =>
	text
		.replace(/\s+/g, " ")
		.replace(/(\$\d+|\?)((?:::[\w[\]]+)?)(?:, ?(?:\$\d+|\?)(?:::[\w[\]]+)?)+/g, "$1$2, …")
		.replace(/(\([^()]+, …\))(?:, ?\([^()]+, …\))+/g, "$1, …")
		.slice(0, DETAIL_CHARACTERS);

/** Calls `count` before each call of the method. */
function before(prototype: Inner, method: string, count: (this: Inner, ...values: Inner[]) => void) {
	const original = prototype[method];
	if (typeof original !== "function") throw new Error(`this version has no ${method} to count`);
	prototype[method] = function (this: Inner, ...values: Inner[]) {
		count.apply(this, values);
		return original.apply(this, values);
	};
}

function countKafka(connection: Inner, count: Count) {
	/** Connections that have named a topic of the transporter: a later request may leave the topics out. */
	const ofTransporter = new WeakSet<object>();
	const { send } = connection.prototype;
	connection.prototype.send = function (this: object, sent: Inner) {
		const { request } = sent;
		const { apiName } = request;
		const encode = async () => {
			const encoder = await request.encode();
			const namesTransporter = Buffer.from(encoder.buffer).includes(TRANSPORTER_TOPICS);
			if (namesTransporter) ofTransporter.add(this);
			if (namesTransporter || (apiName !== "Produce" && ofTransporter.has(this))) count("transporter requests", apiName);
			else count(KAFKA_REQUESTS.includes(apiName) ? (`Kafka ${apiName}` as Resource) : "Kafka other", apiName);
			return encoder;
		};
		return send.call(this, { ...sent, request: { ...request, encode } });
	};
}

function countCassandra(connection: Inner, count: Count) {
	before(connection.prototype, "sendStream", request => {
		const [first] = request.queries ?? [];
		const text = request.query ?? first?.query ?? first?.info?.query ?? "";
		const more = request.queries?.length > 1 ? ` and ${request.queries.length - 1} more` : "";
		count("Cassandra requests", shortened(`${request.constructor.name.replace("Request", "")} ${text}${more}`));
	});
}

function countRedis(client: Inner, count: Count) {
	/** A command that waited for the connection comes again. */
	const counted = new WeakSet<object>();
	before(client.prototype, "sendCommand", (command, stream) => {
		if (counted.has(command)) return;
		counted.add(command);
		count("Redis commands", command.name);
		// A pipeline is one write, whatever the number of its commands.
		if (!stream?.isPipeline || !counted.has(stream)) count("Redis writes", stream?.isPipeline ? "pipeline" : command.name);
		if (stream?.isPipeline) counted.add(stream);
	});
}

/**
 * Counts from now on what this process sends through the packages in `folder`. Call it before they are used. Throws if a version of them has no
 * place to count at.
 */
export async function countDrivers(folder: string, counts: Counts): Promise<void> {
	const load = createRequire(join(folder, "package.json")) as (name: string) => Inner;
	const count: Count = (resource, detail) => add(counts, resource, detail);

	before(load("pg").Client.prototype, "query", query => count("Postgres statements", shortened(query.text ?? query)));
	// What does not come by pg. The CommonJS build would be another class.
	const { PGlite } = (await import(pathToFileURL(join(folder, "node_modules/@electric-sql/pglite/dist/index.js")).href)) as Inner;
	for (const method of ["query", "exec"])
		before(PGlite.prototype, method, text => count("Postgres statements", shortened(`PGlite: ${text}`)));
	countKafka(load("kafkajs/src/network/connection"), count);
	countCassandra(load("cassandra-driver/lib/connection"), count);
	countRedis(load("ioredis").Redis, count);
	for (const owner of WS_OWNERS) {
		const sender = join(folder, owner, "node_modules/ws/lib/sender.js");
		if (existsSync(sender))
			before(load(sender).prototype, "sendFrame", ([head]) => count("frames", OPCODES[head[0] & 15] ?? "other"));
	}
}
