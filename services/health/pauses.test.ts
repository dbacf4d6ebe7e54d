import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ServiceBroker } from "moleculer";
import { eventually } from "../../test/client.ts";
import { MetricsText } from "./metrics-server.ts";
import { recordPauses } from "./pauses.ts";

describe("the recorded pauses of a process", () => {
	let broker: ServiceBroker;
	let stop: () => void;
	before(() => {
		const metrics = { enabled: true, collectProcessMetrics: false, reporter: [new MetricsText() as never] };
		broker = new ServiceBroker({ logger: false, nodeID: "node-1", metrics });
		stop = recordPauses(broker);
	});
	after(async () => {
		stop();
		await broker.stop();
	});

	const text = () => (broker.metrics.reporter[0] as MetricsText).generatePrometheusResponse();
	/** The value of a line whose name and labels match; 0 if there is none. */
	const valueIn = (line: string) => Number(new RegExp(`^${line} (\\S+)$`, "m").exec(text())?.[1] ?? 0);
	/** Samples above a quarter of a second. */
	const longDelays = () =>
		valueIn('process_eventloop_delay_seconds_bucket{nodeID="node-1",le="\\+Inf"}') -
		valueIn('process_eventloop_delay_seconds_bucket{nodeID="node-1",le="0.25"}');

	it("count a blocked event loop as a delay of that length", async () => {
		await eventually(() => assert.ok(valueIn('process_eventloop_delay_seconds_count{nodeID="node-1"}') > 0), "a first sample");
		const before = longDelays();
		const endMs = performance.now() + 1_000;
		while (performance.now() < endMs);
		await eventually(() => assert.ok(longDelays() > before, text()), "a long delay");
	});

	it("count the collections of garbage by their kind", async () => {
		let kept: unknown[] = [];
		await eventually(() => {
			kept = Array.from({ length: 100_000 }, (_, n) => ({ n }));
			assert.ok(valueIn('process_gc_pause_seconds_count{nodeID="node-1",kind="minor"}') > 0, text());
		}, "a collection");
		assert.equal(kept.length, 100_000);
	});

	it("end with the recording", async () => {
		stop();
		const before = valueIn('process_eventloop_delay_seconds_count{nodeID="node-1"}');
		await new Promise(resolve => setTimeout(resolve, 500));
		assert.equal(valueIn('process_eventloop_delay_seconds_count{nodeID="node-1"}'), before);
	});
});
