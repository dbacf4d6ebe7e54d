import assert from "node:assert/strict";
import { it } from "node:test";
import type { Identity } from "../../contract/action.ts";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { accountLimit } from "./authenticate.ts";

it("counts a large request of an account as several, but never as more than the burst", async () => {
	let nowMs = 0;
	const limit = accountLimit(memoryLimits({ now: () => nowMs }), 10);
	const caller = { id: "a" } as Identity;
	await limit(caller, 30);
	await assert.rejects(limit(caller, 30), { code: 429, type: "TOO_MANY_REQUESTS", data: { retryAfterMs: 1_000 } });
	await limit(caller, 20);
	nowMs = 5_000;
	await limit(caller, 64);
	await assert.rejects(limit(caller, 1), { type: "TOO_MANY_REQUESTS" });
	await limit(undefined, 64);
});
