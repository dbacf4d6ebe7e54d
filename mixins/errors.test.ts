import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import { Errors, ServiceBroker } from "moleculer";
import { isUnavailable } from "./errors.ts";

const failure = (message: string, more: object = {}) => Object.assign(new Error(message), more);
const refused = failure("connect ECONNREFUSED 127.0.0.1:1", { code: "ECONNREFUSED" });

describe("isUnavailable", () => {
	it("can be passed to array methods, whatever the index", () => {
		assert.deepEqual(
			Array.from({ length: 20 }, () => refused).map(isUnavailable),
			Array.from({ length: 20 }, () => true)
		);
	});

	it("recognizes a call made after its caller's deadline", async () => {
		const broker = new ServiceBroker({ logger: false });
		broker.createService({
			name: "late",
			actions: {
				inner: () => "done",
				outer(ctx) {
					// Blocks the event loop, so that no timer fires before the inner call.
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

	it("recognizes a fetch that nothing answers, whose reason is only in its cause", async () => {
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		server.close();
		await once(server, "close");
		const error = await fetch(`http://127.0.0.1:${port}/`).catch((reason: Error) => reason);
		assert.ok(error instanceof TypeError, String(error));
		assert.ok(isUnavailable(error), String(error));
	});

	it("recognizes what is wrapped several times, or one of several errors", () => {
		assert.ok(isUnavailable(failure("outer", { cause: failure("inner", { cause: refused }) })));
		assert.ok(isUnavailable(failure("outer", { cause: new AggregateError([failure("other"), refused]) })));
		assert.ok(isUnavailable(new DOMException("The operation was aborted due to timeout", "TimeoutError")));
	});

	it("recognizes a write that failed on a replica of Cassandra, and not a statement that Cassandra rejects", () => {
		assert.ok(isUnavailable(failure("1 failed", { name: "ResponseError", code: 0x1500 })));
		assert.equal(isUnavailable(failure("unconfigured table", { name: "ResponseError", code: 0x2200 })), false);
	});

	it("counts other errors as failures of the work, also a client error with such a cause and errors that cause each other", () => {
		assert.equal(isUnavailable(new TypeError("cannot read properties of undefined")), false);
		const conflict = Object.assign(new Errors.MoleculerClientError("no", 409, "CONFLICT"), { cause: refused });
		assert.equal(isUnavailable(conflict), false);
		const circular = failure("one");
		Object.assign(circular, { cause: failure("other", { cause: circular }) });
		assert.equal(isUnavailable(circular), false);
	});
});
