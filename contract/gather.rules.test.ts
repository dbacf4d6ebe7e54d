import assert from "node:assert/strict";
import { test } from "node:test";
import { gather } from "./gather.ts";

const contracts = {
	likes: { actions: { "likes.add": "adds" }, topics: { Liked: "liked" } },
	shares: { actions: { "shares.add": "shares" }, topics: { Shared: "shared" } }
};

test("the contracts of all services become one table of actions and one of topics", () => {
	assert.deepEqual(gather(contracts, "actions"), { "likes.add": "adds", "shares.add": "shares" });
	assert.deepEqual(gather(contracts, "topics"), { Liked: "liked", Shared: "shared" });
});

for (const [part, what, name] of [
	["actions", "action", "likes.add"],
	["topics", "topic", "Liked"]
] as const)
	test(`refuses ${part} of one name in two services, and names both files`, () => {
		const twice = { ...contracts, shares: { ...contracts.shares, [part]: { [name]: "another" } } };
		assert.throws(() => gather(twice, part), {
			message: `${what} "${name}" is declared twice: in services/likes/likes.contract.ts and in services/shares/shares.contract.ts; rename one of them`
		});
	});
