import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { freePorts } from "../test/process.ts";
import { cassandra, openCassandra } from "./cassandra.ts";
import { isUnavailable } from "./errors.ts";
import { checksOf } from "./health.ts";

const nobody = async () => [`127.0.0.1:${(await freePorts(1))[0]}`];

describe("a Cassandra that is away", () => {
	it("fails statements as something that is away", async () => {
		const connection = openCassandra({ contactPoints: await nobody(), keyspace: "nowhere" });
		for (const work of [
			() => connection.check(),
			() => connection.make([]),
			() => connection.client.execute("select key from system.local")
		])
			await assert.rejects(work(), (error: Error) => isUnavailable(error));
		await connection.close();
	});

	it("is away too where its name cannot be looked up yet", async () => {
		const connection = openCassandra({ contactPoints: ["cassandra.invalid"], keyspace: "nowhere" });
		for (let attempt = 0; attempt < 2; attempt++)
			await assert.rejects(connection.check(), (error: Error) => isUnavailable(error));
		await connection.close();
	});

	it("holds up the service that needs it until the broker stops, and says so in health", async () => {
		const connection = openCassandra({ contactPoints: await nobody(), keyspace: "nowhere" });
		const broker = new ServiceBroker({ logger: false });
		let started = false;
		broker.createService({
			name: "needs",
			mixins: [cassandra(connection, [])],
			started() {
				started = !this.broker.stopping;
			}
		});
		const starting = broker.start();
		assert.deepEqual(await checksOf(broker), { cassandra: "unavailable" });
		await broker.stop();
		await starting;
		assert.equal(started, false);
	});
});
