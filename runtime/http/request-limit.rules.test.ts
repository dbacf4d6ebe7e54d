import assert from "node:assert/strict";
import { it } from "node:test";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { logNameOf } from "./client-address.ts";
import { requestLimit } from "./request-limit.ts";

it("refuses the requests of an address that has used its burst, and logs them without the address", async () => {
	const logged: unknown[] = [];
	const log = { log: (_message: string, subject: object) => void logged.push(subject) };
	const limit = requestLimit(memoryLimits({ now: () => 0 }), 2, log);
	const errors = await Promise.all(Array.from({ length: 12 }, () => limit("192.0.2.1")));
	assert.deepEqual(
		errors.map(error => error?.code),
		[...Array(10).fill(undefined), 429, 429]
	);
	assert.deepEqual(errors.at(-1)?.data, { retryAfterMs: 500 });
	assert.equal(await limit("192.0.2.2"), undefined);
	assert.deepEqual(logged, Array(2).fill({ client: logNameOf("192.0.2.1") }));
});

it("refuses no request of an IPv6 /64 because of the other networks of its /48", async () => {
	const limit = requestLimit(memoryLimits({ now: () => 0 }), 2, { log() {} });
	const errors = await Promise.all(Array.from({ length: 100 }, (_, n) => limit(`2001:db8:1:${n.toString(16)}::/64`)));
	assert.deepEqual(errors, Array(100).fill(undefined));
});
