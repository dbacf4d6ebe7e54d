import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceBroker } from "moleculer";
import { isUnavailable } from "./errors.ts";

test("takes a call that was made when its caller's time was over for one that may succeed later", async () => {
	const broker = new ServiceBroker({ logger: false });
	broker.createService({
		name: "late",
		actions: {
			inner: () => "done",
			outer(ctx) {
				// The process stands still: no timer of it has rung.
				const endMs = performance.now() + 30;
				while (performance.now() < endMs);
				return ctx.call("late.inner");
			}
		}
	});
	await broker.start();
	try {
		const answer = broker.call("late.outer", {}, { timeout: 10 }).catch((error: Error) => error);
		assert.ok(isUnavailable(await answer), String(await answer));
	} finally {
		await broker.stop();
	}
});
