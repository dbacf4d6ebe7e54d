import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker } from "moleculer";
import { addCheck, checksOf } from "./health.ts";

test("checksOf reports a check that rejects or throws as unavailable, and every other one by its own text", async () => {
	const broker = new ServiceBroker({ logger: false });
	addCheck(broker, "postgres", async () => "ok");
	addCheck(broker, "outbox", async () => "the oldest message has waited for 9 s");
	addCheck(broker, "kafka", () => Promise.reject(new Error("10.0.0.7 refuses")));
	addCheck(broker, "redis", () => {
		throw new Error("10.0.0.8 refuses");
	});
	assert.deepEqual(await checksOf(broker), {
		postgres: "ok",
		outbox: "the oldest message has waited for 9 s",
		kafka: "unavailable",
		redis: "unavailable"
	});
});
