import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";
import type { Identity } from "../../../contract/action.ts";
import type { Caller } from "../../define-service.ts";
import { createPeers } from "./peers.ts";

const HOUR_MS = 3_600_000;
const logger = { warn: (line: unknown) => assert.fail(String(line)) };

/** `revoked`: the answer of `users.revoked`. */
function open({ maxSocketsPerAccount = 0, maxFramesPerSecond = 0, revoked = async () => [] as string[] } = {}) {
	const checked: string[][] = [];
	const caller = {
		call: (_: string, { sessions }: { sessions: string[] }) => {
			checked.push(sessions);
			return revoked();
		}
	} as unknown as Caller;
	const peers = createPeers({ caller, logger, maxSocketsPerAccount, maxFramesPerSecond });
	peers.start();
	/** A new peer, and the reasons for which its identity ended. */
	const connect = (identity?: Identity, address = "1") => {
		const peer = peers.connect(address);
		const ended: string[] = [];
		peer.holder = { onIdentityEnded: reason => ended.push(reason) };
		if (identity) assert.ok(peer.identify(identity));
		return { peer, ended };
	};
	return { peers, connect, checked };
}

const identity = (id: string, { session = id, endsInMs = HOUR_MS } = {}): Identity => ({
	id,
	role: "user",
	session,
	expiresAtMs: Date.now() + endsInMs
});

/** Lets time pass, and pending calls resolve. */
const pass = async (ms: number) => {
	for (let passed = 0; passed < ms; passed += 1_000) {
		mock.timers.tick(1_000);
		for (let turn = 0; turn < 5; turn++) await Promise.resolve();
	}
};

describe("peers", () => {
	beforeEach(() => {
		mock.timers.reset();
		mock.timers.enable({ apis: ["setInterval", "Date"], now: 1_800_000_000_000 });
		mock.method(performance, "now", () => Date.now());
	});

	it("end once their tokens have expired, each at its own time and once", async () => {
		const { connect } = open();
		const [early, late, guest] = [
			connect(identity("a", { endsInMs: 3_500 })),
			connect(identity("b", { endsInMs: 9_000 })),
			connect()
		];
		await pass(3_000);
		assert.deepEqual(early.ended, []);
		await pass(1_000);
		assert.deepEqual([early.ended, late.ended], [["the token has ended"], []]);
		await pass(60_000);
		assert.deepEqual([early.ended.length, late.ended.length, guest.ended.length], [1, 1, 0]);
	});

	it("stay, however late the token expires", async () => {
		const { connect } = open();
		const { ended } = connect(identity("a", { endsInMs: 2 ** 31 + 10_000 }));
		await pass(5_000);
		assert.deepEqual(ended, []);
	});

	it("stay with a fresh token", async () => {
		const { connect } = open();
		const { peer, ended } = connect(identity("a", { endsInMs: 2_000 }));
		peer.identify(identity("a", { endsInMs: 60_000 }));
		await pass(30_000);
		assert.deepEqual(ended, []);
		await pass(31_000);
		assert.deepEqual(ended, ["the token has ended"]);
	});

	it("end when their session is revoked, and no others; without signed-in peers no session is checked", async () => {
		const { connect, checked } = open({ revoked: async () => ["s1"] });
		await pass(5_000);
		assert.deepEqual(checked, []);
		const [one, tab, other] = [
			connect(identity("a", { session: "s1" })),
			connect(identity("a", { session: "s1" })),
			connect(identity("a", { session: "s2" }))
		];
		await pass(1_000);
		assert.deepEqual([one.ended, tab.ended, other.ended], [["the session was revoked"], ["the session was revoked"], []]);
		assert.deepEqual(
			[one, tab, other].map(({ peer }) => peer.identity?.session),
			[undefined, undefined, other.peer.identity!.session]
		);
		assert.deepEqual(checked, [["s1", "s2"]]);
	});

	it("stay until their tokens expire while the revocation list is unavailable", async () => {
		const { connect } = open({ revoked: () => Promise.reject(new Error("Postgres is unavailable")) });
		const { ended } = connect(identity("a", { endsInMs: 10_000 }));
		await pass(9_000);
		assert.deepEqual(ended, []);
		await pass(1_000);
		assert.deepEqual(ended, ["the token has ended"]);
	});

	it("are checked once at a time, however long the answer takes", async () => {
		const { connect, checked } = open({ revoked: () => new Promise(() => {}) });
		connect(identity("a"));
		await pass(30_000);
		assert.equal(checked.length, 1);
	});

	it("are limited per account, and free their place when they disconnect or get another identity", () => {
		const { peers, connect } = open({ maxSocketsPerAccount: 2 });
		const [one, two] = [connect(identity("a")), connect(identity("a"))];
		const third = peers.connect("1");
		assert.equal(third.identify(identity("b")), true);
		assert.equal(third.identify(identity("a")), false);
		assert.equal(third.identity?.id, "b");
		assert.equal(one.peer.identify(identity("a")), true, "a fresh token takes no place");
		one.peer.disconnect();
		one.peer.disconnect();
		assert.equal(third.identify(identity("a")), true);
		assert.equal(peers.connect("1").identify(identity("a")), false);
		assert.equal(two.peer.identify(identity("c")), true);
		assert.equal(peers.connect("1").identify(identity("a")), true);
	});

	it("take no place of an account after they have disconnected", () => {
		const { peers } = open({ maxSocketsPerAccount: 1 });
		const gone = peers.connect("1");
		gone.disconnect();
		gone.identify(identity("a"));
		assert.equal(peers.connect("1").identify(identity("a")), true);
	});

	it("are limited in frames per socket, per account and per address, with bursts of five times the rate", () => {
		const { connect } = open({ maxFramesPerSecond: 1 });
		const taken = (...peers: { take(): boolean }[]) =>
			peers.reduce((sum, peer) => sum + [1, 2, 3, 4, 5, 6].filter(() => peer.take()).length, 0);
		const many = (n: number, as: (at: number) => string, address: string) =>
			Array.from({ length: n }, (_, at) => connect(identity(as(at)), address).peer);
		assert.equal(taken(connect(undefined, "1").peer), 5);
		assert.equal(taken(...many(12, () => "a", "2")), 25);
		assert.equal(taken(...many(12, () => "a", "3")), 0);
		assert.equal(taken(...many(40, at => `b${at}`, "4")), 100);
	});

	it("pay for a large frame as for several, in every limit", () => {
		const { connect } = open({ maxFramesPerSecond: 1 });
		const { peer } = connect(identity("a"), "1");
		assert.deepEqual([peer.take(3), peer.take(3), peer.take(2)], [true, false, true], "of the socket's five");
		const many = (user: (n: number) => string, address: string) =>
			Array.from({ length: 40 }, (_, n) => connect(identity(user(n)), address).peer).filter(one => one.take(5)).length;
		assert.equal(
			many(() => "b", "2"),
			5,
			"of the account's 25"
		);
		assert.equal(
			many(n => `c${n}`, "3"),
			20,
			"of the address's 100"
		);
	});

	it("pay for a large answer at most the frames of one second, and nothing while they have fewer", () => {
		const { connect } = open({ maxFramesPerSecond: 10 });
		const { peer } = connect(identity("a"), "1");
		const paid = () => Array.from({ length: 6 }, () => peer.takeForAnswer(2_000)).filter(Boolean).length;
		assert.equal(paid(), 5, "of the socket's 50 frames");
		mock.timers.tick(900);
		assert.deepEqual([peer.takeForAnswer(2_000), peer.take(9)], [false, true]);
		mock.timers.tick(1_000);
		assert.deepEqual([peer.takeForAnswer(2_000), peer.takeForAnswer(0)], [true, true]);
		const unlimited = open().connect(undefined, "1").peer;
		assert.ok(unlimited.takeForAnswer(2_000));
		const neighbour = connect(identity("b"), "1").peer;
		const flood = Array.from({ length: 20 }, (_, n) => connect(identity(`c${n}`), "1").peer);
		for (const one of flood) while (one.take());
		assert.deepEqual([neighbour.takeForAnswer(2_000), neighbour.takeForAnswer(1)], [false, false], "the address has none left");
	});

	it("do not get a new limit by reconnecting after a flood", async () => {
		const { connect } = open({ maxFramesPerSecond: 1 });
		const sockets = Array.from({ length: 6 }, () => connect(identity("a")).peer);
		for (const peer of sockets) for (let n = 0; n < 6; n++) peer.take();
		for (const peer of sockets) peer.disconnect();
		await pass(1_000);
		const again = connect(identity("a")).peer;
		const other = connect(identity("a")).peer;
		const taken = [again, other].flatMap(peer => [1, 2, 3, 4, 5].filter(() => peer.take()));
		assert.equal(taken.length, 5, "the frames of one second");
	});

	it("leave the other clients of their address room to send, however often they reconnect and flood", () => {
		const { connect } = open({ maxFramesPerSecond: 100 });
		const neighbour = connect(undefined, "1").peer;
		for (let lives = 0; lives < 1_000; lives++) {
			mock.timers.tick(10);
			const { peer } = connect(undefined, "1");
			while (peer.take());
			peer.disconnect();
			if (lives % 100 === 0) assert.ok(neighbour.take(), `after ${lives} floods`);
		}
		assert.ok(connect(undefined, "1").peer.take(), "and new sockets can send");
	});
});
