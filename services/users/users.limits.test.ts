import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { type SignInAttempt, signInLimits } from "./users.limits.ts";

const MINUTE_MS = 60_000;

function open() {
	const clock = { nowMs: 0 };
	const { takeHash: work, takeSignIn: signIn } = signInLimits(memoryLimits({ now: () => clock.nowMs }));
	const tried = async (attempt: Partial<SignInAttempt>, times = 1) => {
		let passed = 0;
		for (let n = 0; n < times; n++)
			await signIn({ address: "1.1.1.1", email: "ann@example.org", lastSession: undefined, ...attempt }).then(
				() => passed++,
				({ code, type, data }) => {
					assert.deepEqual([code, type], [429, "TOO_MANY_REQUESTS"]);
					assert.ok(data.retryAfterMs > 0);
				}
			);
		return passed;
	};
	return { clock, work, tried };
}

describe("failed sign-ins", () => {
	it("are limited to twenty for one client address and one e-mail address, then one a minute", async () => {
		const { clock, tried } = open();
		assert.equal(await tried({}, 100), 20);
		clock.nowMs += MINUTE_MS - 1;
		assert.equal(await tried({}), 0);
		clock.nowMs += 1;
		assert.equal(await tried({}, 10), 1);
	});

	it("are counted separately for each client address and each e-mail address", async () => {
		const { tried } = open();
		await tried({}, 100);
		assert.equal(await tried({ address: "2.2.2.2" }), 1);
		assert.equal(await tried({ email: "tom@example.org" }), 1);
	});

	it("are counted from zero after a success", async () => {
		const { tried } = open();
		assert.equal(await tried({ lastSession: "a sign-in" }, 100), 20);
		assert.equal(await tried({ lastSession: "the next" }, 100), 20);
	});

	it("are limited for one e-mail address over all client addresses", async () => {
		const { clock, tried } = open();
		let passed = 0;
		for (let n = 0; n < 300; n++) passed += await tried({ address: `10.0.${n}.1` });
		assert.equal(passed, 200);
		clock.nowMs += 10 * MINUTE_MS;
		for (let n = 0; n < 300; n++) passed += await tried({ address: `10.1.${n}.1` });
		assert.equal(passed, 260);
	});

	it("from other addresses do not block an owner who has signed in from this address before", async () => {
		const { tried } = open();
		for (let n = 0; n < 300; n++) await tried({ address: `10.0.${n}.1` });
		assert.equal(await tried({ lastSession: undefined }), 0);
		assert.equal(await tried({ lastSession: "a sign-in" }), 1);
	});

	it("of one client address cannot use up the limit of all addresses", async () => {
		const { clock, tried } = open();
		for (let n = 0; n < 24 * 60; n++) {
			await tried({}, 3);
			clock.nowMs += MINUTE_MS;
		}
		assert.equal(await tried({ address: "2.2.2.2" }, 20), 20);
	});

	it("are counted under keys without e-mail addresses", async () => {
		const keys: string[] = [];
		const { takeSignIn: signIn } = signInLimits({ take: async key => void keys.push(key) });
		await signIn({ address: "1.1.1.1", email: "ann@example.org", lastSession: undefined });
		assert.equal(keys.length, 2);
		assert.ok(keys.every(key => !/ann|example/.test(key)));
	});
});

describe("password hashes", () => {
	it("are limited for one client address, to thousands", async () => {
		const { work } = open();
		for (let n = 0; n < 3_000; n++) await work("1.1.1.1");
		await assert.rejects(work("1.1.1.1"), { type: "TOO_MANY_REQUESTS" });
		await work("2.2.2.2");
	});
});
