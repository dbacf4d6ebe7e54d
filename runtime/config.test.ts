import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, readConfig } from "./config.ts";

const refusal = (env: NodeJS.ProcessEnv) => {
	try {
		readConfig(env);
	} catch (error) {
		assert.ok(error instanceof ConfigError);
		return error.message;
	}
	throw new Error(`accepted ${JSON.stringify(env)}`);
};

describe("configuration", () => {
	it("needs nothing, and is the embedded profile then", () => {
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

	it("lets no guests in and listens everywhere on the cluster profile, unless told", () => {
		assert.deepEqual([readConfig({ PROFILE: "cluster" }).guests, readConfig({ PROFILE: "cluster" }).host], [false, "0.0.0.0"]);
		assert.equal(readConfig({ PROFILE: "cluster", GUESTS: "on" }).guests, true);
	});

	it("takes an empty text for a variable that is not set", () => assert.equal(readConfig({ HTTP_PORT: "" }).httpPort, 8080));

	it("gives a visitor at a prompt no services and a name of its own on the cluster profile", () => {
		const visitor = readConfig({ PROFILE: "cluster" }, { repl: true });
		assert.deepEqual([visitor.services, visitor.metricsPort], [[], 0]);
		assert.notEqual(visitor.nodeID, readConfig({ PROFILE: "cluster" }).nodeID);
	});

	for (const [name, value] of Object.entries({
		PROFILE: "both",
		HTTP_PORT: "70000",
		GRPC_PORT: "-1",
		SERVICES: "wallet,walet",
		SELECTION_NAMES: "a,a",
		GUESTS: "yes",
		LOG_LEVEL: "loud",
		KAFKA_BROKERS: "local host",
		CASSANDRA_CONTACT_POINTS: "localhost:99999",
		DATABASE_URL: "mysql://x",
		TOPIC_PARTITIONS: "0",
		ORDER_TIMEOUT_MINUTES: "0",
		PAYMENT_TEST_LIMIT: "99.50",
		ALLOWED_ORIGINS: "example.org",
		NODE_ID: "a.b"
	}))
		it(`refuses ${name}=${value} in one line that says what would do`, () => {
			const line = refusal({ [name]: value });
			assert.match(line, new RegExp(`^${name}=.* is unusable: give .+`));
			assert.doesNotMatch(line, /\n|another value/);
		});

	it("refuses socket without api beside it", () => assert.match(refusal({ SERVICES: "socket" }), /socket needs api/));

	it("does not repeat a secret in what it says", () => {
		assert.doesNotMatch(refusal({ JWT_SECRET: "hunter2" }), /hunter2/);
		assert.doesNotMatch(refusal({ DATABASE_URL: "mysql://me:hunter2@db" }), /hunter2/);
	});
});
