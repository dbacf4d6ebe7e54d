import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryLimits } from "../../mixins/limits/limits.ts";
import { type SignInAttempt, signInLimits } from "./users.limits.ts";

const MINUTE_MS = 60_000;

function open() {
	const clock = { nowMs: 0 };
	const { takeHash: work, takeSignIn: signIn, takeRefresh: refresh } = signInLimits(memoryLimits({ now: () => clock.nowMs }));
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
	return { clock, work, refresh, tried };
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

	it("from all networks of an IPv6 site are limited together, below the limit of all addresses", async () => {
		const { clock, tried } = open();
		let passed = 0;
		for (let n = 0; n < 300; n++) passed += await tried({ address: `2001:db8:1:${n.toString(16)}::/64` });
		assert.equal(passed, 60);
		assert.equal(await tried({ address: "2001:db8:2:1::/64" }), 1);
		clock.nowMs += 20_000;
		assert.equal(await tried({ address: "2001:db8:1:ffff::/64" }, 5), 1);
	});

	it("are counted under keys without e-mail addresses", async () => {
		const keys: string[] = [];
		const { takeSignIn: signIn } = signInLimits({ take: async key => void keys.push(key) });
		await signIn({ address: "1.1.1.1", email: "ann@example.org", lastSession: undefined });
		assert.equal(keys.length, 2);
		assert.ok(keys.every(key => !/ann|example/.test(key)));
	});
});

describe("refreshes", () => {
	it("are limited for one session", async () => {
		const { clock, refresh } = open();
		const uses = async (session: string) => {
			const ends = await Promise.allSettled(Array.from({ length: 100 }, () => refresh(session)));
			return ends.filter(({ status }) => status === "fulfilled").length;
		};
		assert.equal(await uses("one"), 30);
		await assert.rejects(refresh("one"), { code: 429, type: "TOO_MANY_REQUESTS" });
		assert.equal(await uses("other"), 30);
		clock.nowMs += 2_000;
		assert.equal(await uses("one"), 2);
	});
});

describe("password hashes", () => {
	const done = async (work: (address: string) => Promise<void>, addresses: string[]) => {
		const ends = await Promise.allSettled(addresses.map(work));
		for (const end of ends) if (end.status === "rejected") assert.equal(end.reason.type, "TOO_MANY_REQUESTS");
		return ends.filter(({ status }) => status === "fulfilled").length;
	};

	it("are limited for one client address, to hundreds and then five a second", async () => {
		const { clock, work } = open();
		const one = Array<string>(1_000).fill("1.1.1.1");
		assert.equal(await done(work, one), 300);
		clock.nowMs += 1_000;
		assert.equal(await done(work, one), 5);
		await work("2.2.2.2");
	});

	it("are limited for all networks of an IPv6 site together", async () => {
		const { work } = open();
		const networks = Array.from({ length: 3_000 }, (_, n) => `2001:db8:1:${n.toString(16)}::/64`);
		assert.equal(await done(work, networks), 1_200);
		await work("2001:db8:2:1::/64");
	});
});
