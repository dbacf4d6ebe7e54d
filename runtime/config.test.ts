import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readConfig } from "./config.ts";
import { ConfigError } from "./variables.ts";

const errorOf = (env: NodeJS.ProcessEnv) => {
	try {
		readConfig(env);
	} catch (error) {
		assert.ok(error instanceof ConfigError);
		return error.message;
	}
	throw new Error(`accepted ${JSON.stringify(env)}`);
};

describe("configuration", () => {
	it("selects the embedded profile and its defaults when no variable is set", () => {
		const { profile, host, httpPort, grpcPort, guests, selectionNames, topicPartitions } = readConfig({});
		assert.deepEqual(
			{ profile, host, httpPort, grpcPort, guests, selectionNames, topicPartitions },
			{
				profile: "embedded",
				host: "127.0.0.1",
				httpPort: 8080,
				grpcPort: 50051,
				guests: true,
				selectionNames: ["a", "b", "c", "d"],
				topicPartitions: 12
			}
		);
	});

	it("allows no guests and listens on all addresses in the cluster profile by default", () => {
		assert.deepEqual([readConfig({ PROFILE: "cluster" }).guests, readConfig({ PROFILE: "cluster" }).host], [false, "0.0.0.0"]);
		assert.equal(readConfig({ PROFILE: "cluster", GUESTS: "on" }).guests, true);
	});

	it("limits the connections of an address to 2000 and listens on no extra port by default", () => {
		const { maxSocketsPerAddress, extraHttpPorts } = readConfig({});
		assert.deepEqual([maxSocketsPerAddress, extraHttpPorts], [2000, []]);
		assert.deepEqual(readConfig({ EXTRA_HTTP_PORTS: "3000, 5000" }).extraHttpPorts, [3000, 5000]);
	});

	it("treats an empty variable as not set", () => assert.equal(readConfig({ HTTP_PORT: "" }).httpPort, 8080));

	it("gives the REPL node of the cluster profile no services and its own name", () => {
		const visitor = readConfig({ PROFILE: "cluster" }, { repl: true });
		assert.deepEqual([visitor.services, visitor.metricsPort], [[], 0]);
		assert.notEqual(visitor.nodeID, readConfig({ PROFILE: "cluster" }).nodeID);
	});

	for (const [name, value] of Object.entries({
		PROFILE: "both",
		HTTP_PORT: "70000",
		EXTRA_HTTP_PORTS: "3000,0",
		GRPC_PORT: "-1",
		SERVICES: "wallet,walet",
		SELECTION_NAMES: "a,a",
		GUESTS: "yes",
		LOG_LEVEL: "loud",
		KAFKA_BROKERS: "local host",
		CASSANDRA_CONTACT_POINTS: "localhost:99999",
		DATABASE_URL: "mysql://x",
		TOPIC_PARTITIONS: "0",
		HOLD_SECONDS: "86401",
		ORDER_TIMEOUT_MINUTES: "0",
		PAYMENT_TEST_LIMIT: "99.50",
		ALLOWED_ORIGINS: "example.org",
		NODE_ID: "a.b"
	}))
		it(`rejects ${name}=${value} with one line that says which values are valid`, () => {
			const line = errorOf({ [name]: value });
			assert.match(line, new RegExp(`^${name}=.* is unusable: give .+`));
			assert.doesNotMatch(line, /\n|another value/);
		});

	it("rejects socket without api", () => assert.match(errorOf({ SERVICES: "socket" }), /socket needs api/));

	it("does not repeat a secret in the error message", () => {
		assert.doesNotMatch(errorOf({ JWT_SECRET: "hunter2" }), /hunter2/);
		assert.doesNotMatch(errorOf({ DATABASE_URL: "mysql://me:hunter2@db" }), /hunter2/);
	});
});
