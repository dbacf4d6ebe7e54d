import assert from "node:assert/strict";
import { it } from "node:test";
import { freePorts } from "../../../test/process.ts";
import { kafkaConnection } from "./connection.ts";
import { consumerSupervisor } from "./consumer-supervisor.ts";

it("a consumer reports a problem from its start on until it has its first assignment", async t => {
	const [unusedPort] = await freePorts(1);
	const open = () => kafkaConnection({ brokers: [`127.0.0.1:${unusedPort}`], clientId: "test" });
	const consumer = consumerSupervisor({ group: "mailer", topics: ["created"], handler: async () => 0 }, open);
	t.after(() => consumer.stop());
	assert.match(consumer.problem() ?? "", /^group mailer has had no assignment/);
});
