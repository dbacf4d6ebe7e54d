import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { freePorts } from "../test/process.ts";
import { cassandra, openCassandra } from "./cassandra.ts";
import { isUnavailable } from "./errors.ts";
import { checksOf } from "./health.ts";

const unusedAddress = async () => [`127.0.0.1:${(await freePorts(1))[0]}`];

describe("an unavailable Cassandra", () => {
	it("rejects statements as unavailable", async () => {
		const connection = openCassandra({ contactPoints: await unusedAddress(), keyspace: "nowhere" });
		for (const work of [
			() => connection.check(),
			() => connection.createTables([]),
			() => connection.client.execute("select key from system.local")
		])
			await assert.rejects(work(), (error: Error) => isUnavailable(error));
		await connection.close();
	});

	it("is unavailable too when its name cannot be resolved yet", async () => {
		const connection = openCassandra({ contactPoints: ["cassandra.invalid"], keyspace: "nowhere" });
		for (let attempt = 0; attempt < 2; attempt++)
			await assert.rejects(connection.check(), (error: Error) => isUnavailable(error));
		await connection.close();
	});

	it("delays the start of the service until the broker stops, and reports it in health", async () => {
		const connection = openCassandra({ contactPoints: await unusedAddress(), keyspace: "nowhere" });
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
