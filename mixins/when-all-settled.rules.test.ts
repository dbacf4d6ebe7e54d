import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { whenAllSettled } from "./when-all-settled.ts";

it("whenAllSettled resolves with all values, and rejects with the first error only when nothing is pending", async () => {
	assert.deepEqual(await whenAllSettled([Promise.resolve(1), Promise.resolve(2)]), [1, 2]);
	const { promise: pending, resolve } = Promise.withResolvers<void>();
	let isRejected = false;
	const waiting = whenAllSettled([Promise.reject(new Error("no")), pending]).catch(error => {
		isRejected = true;
		return error.message;
	});
	await setImmediate();
	assert.equal(isRejected, false);
	resolve();
	assert.equal(await waiting, "no");
});
