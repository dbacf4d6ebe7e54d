import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { revocationList } from "./users.revocation-list.ts";

/** A store that other nodes write to, and that can be made unavailable. */
function open() {
	const world = { nowMs: 0, list: [] as string[], isUnavailable: false, reads: 0 };
	const revoked = revocationList(
		async () => {
			world.reads++;
			if (world.isUnavailable) throw new Error("unavailable");
			return [...world.list];
		},
		() => world.nowMs
	);
	return { world, revoked };
}

describe("the list of revoked sessions", () => {
	it("contains at once what this node revoked", async () => {
		const { revoked } = open();
		assert.equal(await revoked.has("s"), false);
		revoked.add("s");
		assert.equal(await revoked.has("s"), true);
	});

	it("keeps it when a list arrives that was requested before", async () => {
		const { promise, resolve } = Promise.withResolvers<string[]>();
		const revoked = revocationList(
			() => promise,
			() => 0
		);
		const pending = revoked.has("other");
		revoked.add("s");
		resolve([]);
		await pending;
		assert.equal(await revoked.has("s"), true);
	});

	it("contains within 5 s what another node revoked, however often it is read", async () => {
		for (const everyMs of [1, 100, 999, 1_001, 2_500, 2_999, 3_001, 4_900, 5_001]) {
			const { world, revoked } = open();
			await revoked.has("s");
			world.list.push("s");
			const revokedAtMs = world.nowMs;
			let unknownAtMs = revokedAtMs;
			while (!(await revoked.has("s"))) {
				unknownAtMs = world.nowMs;
				world.nowMs += everyMs;
				// Lets the read complete.
				await new Promise(setImmediate);
			}
			assert.ok(unknownAtMs - revokedAtMs < 5_000, `read every ${everyMs} ms: accepted for ${unknownAtMs - revokedAtMs} ms`);
		}
	});

	it("is read from the store at most once a second", async () => {
		const { world, revoked } = open();
		for (; world.nowMs < 10_000; world.nowMs += 10) await Promise.all([revoked.has("a"), revoked.has("b")]);
		assert.ok(world.reads <= 10, `${world.reads} reads`);
	});

	it("is used while the store is unavailable, and read again afterwards", async () => {
		const { world, revoked } = open();
		world.list.push("before");
		assert.equal(await revoked.has("before"), true);
		world.isUnavailable = true;
		for (let n = 0; n < 60; n++) {
			world.nowMs += 1_000;
			assert.deepEqual(await Promise.all(["before", "meanwhile"].map(revoked.has)), [true, false]);
		}
		world.list.push("meanwhile");
		world.isUnavailable = false;
		world.nowMs += 5_000;
		assert.equal(await revoked.has("meanwhile"), true);
	});

	it("rejects when it was never read", async () => {
		const { world, revoked } = open();
		world.isUnavailable = true;
		for (let n = 0; n < 3; n++) await assert.rejects(revoked.has("s"), { code: 503, type: "UNAVAILABLE" });
		world.isUnavailable = false;
		world.nowMs += 5_000;
		assert.equal(await revoked.has("s"), false);
	});
});
