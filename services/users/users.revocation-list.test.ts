import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { revocationList } from "./users.revocation-list.ts";

/** A list that other nodes add to, of a store that may be away. */
function open() {
	const world = { nowMs: 0, list: [] as string[], isAway: false, reads: 0 };
	const revoked = revocationList(
		async () => {
			world.reads++;
			if (world.isAway) throw new Error("away");
			return [...world.list];
		},
		() => world.nowMs
	);
	return { world, revoked };
}

describe("the list of revoked sessions", () => {
	it("knows at once what this node revoked", async () => {
		const { revoked } = open();
		assert.equal(await revoked.has("s"), false);
		revoked.add("s");
		assert.equal(await revoked.has("s"), true);
	});

	it("still knows it when a list comes that was asked for before", async () => {
		const { promise, resolve } = Promise.withResolvers<string[]>();
		const revoked = revocationList(
			() => promise,
			() => 0
		);
		const asked = revoked.has("other");
		revoked.add("s");
		resolve([]);
		await asked;
		assert.equal(await revoked.has("s"), true);
	});

	it("learns within 5 s what another node revoked, however often it is asked", async () => {
		for (const everyMs of [1, 100, 999, 1_001, 2_500, 2_999, 3_001, 4_900, 5_001]) {
			const { world, revoked } = open();
			await revoked.has("s");
			world.list.push("s");
			const revokedAtMs = world.nowMs;
			let unknownAtMs = revokedAtMs;
			while (!(await revoked.has("s"))) {
				unknownAtMs = world.nowMs;
				world.nowMs += everyMs;
				// What is read meanwhile takes a moment.
				await new Promise(setImmediate);
			}
			assert.ok(unknownAtMs - revokedAtMs < 5_000, `asked every ${everyMs} ms: let in after ${unknownAtMs - revokedAtMs} ms`);
		}
	});

	it("is read once a second at most, whoever asks", async () => {
		const { world, revoked } = open();
		for (; world.nowMs < 10_000; world.nowMs += 10) await Promise.all([revoked.has("a"), revoked.has("b")]);
		assert.ok(world.reads <= 10, `${world.reads} reads`);
	});

	it("stands while the store is away, and is read again when it is back", async () => {
		const { world, revoked } = open();
		world.list.push("before");
		assert.equal(await revoked.has("before"), true);
		world.isAway = true;
		for (let n = 0; n < 60; n++) {
			world.nowMs += 1_000;
			assert.deepEqual(await Promise.all(["before", "meanwhile"].map(revoked.has)), [true, false]);
		}
		world.list.push("meanwhile");
		world.isAway = false;
		world.nowMs += 5_000;
		assert.equal(await revoked.has("meanwhile"), true);
	});

	it("lets nobody in where it was never read", async () => {
		const { world, revoked } = open();
		world.isAway = true;
		for (let n = 0; n < 3; n++) await assert.rejects(revoked.has("s"), { code: 503, type: "UNAVAILABLE" });
		world.isAway = false;
		world.nowMs += 5_000;
		assert.equal(await revoked.has("s"), false);
	});
});
