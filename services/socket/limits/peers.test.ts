import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";
import type { Identity } from "../../../contract/action.ts";
import type { Caller } from "../../define-service.ts";
import { createPeers } from "./peers.ts";

const HOUR_MS = 3_600_000;

/** Peers of a node that is told so much of which sessions have been revoked. */
function open({
	maxSocketsPerAddress = 0,
	maxSocketsPerAccount = 0,
	maxFramesPerSecond = 0,
	revoked = async () => [] as string[]
} = {}) {
	const asked: string[][] = [];
	const caller = {
		call: (_: string, { sessions }: { sessions: string[] }) => {
			asked.push(sessions);
			return revoked();
		}
	} as unknown as Caller;
	const peers = createPeers({ caller, maxSocketsPerAddress, maxSocketsPerAccount, maxFramesPerSecond });
	peers.start();
	/** One more peer, and why it was over. */
	const arrive = (identity?: Identity, address = "1") => {
		const peer = peers.connect(address)!;
		const over: string[] = [];
		peer.holder = { onIdentityEnded: reason => over.push(reason) };
		if (identity) assert.ok(peer.identify(identity));
		return { peer, over };
	};
	return { peers, arrive, asked };
}

const identity = (id: string, { session = id, endsInMs = HOUR_MS } = {}): Identity => ({
	id,
	role: "user",
	session,
	expiresAtMs: Date.now() + endsInMs
});

/** Lets so much time pass, and whoever was asked meanwhile answer. */
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

	it("are over once their tokens have ended, each at its own time, and are told so once", async () => {
		const { arrive } = open();
		const [early, late, guest] = [
			arrive(identity("a", { endsInMs: 3_500 })),
			arrive(identity("b", { endsInMs: 9_000 })),
			arrive()
		];
		await pass(3_000);
		assert.deepEqual(early.over, []);
		await pass(1_000);
		assert.deepEqual([early.over, late.over], [["the token has ended"], []]);
		await pass(60_000);
		assert.deepEqual([early.over.length, late.over.length, guest.over.length], [1, 1, 0]);
	});

	it("stay, however long the token lasts", async () => {
		const { arrive } = open();
		const { over } = arrive(identity("a", { endsInMs: 2 ** 31 + 10_000 }));
		await pass(5_000);
		assert.deepEqual(over, []);
	});

	it("stay on with a fresh token", async () => {
		const { arrive } = open();
		const { peer, over } = arrive(identity("a", { endsInMs: 2_000 }));
		peer.identify(identity("a", { endsInMs: 60_000 }));
		await pass(30_000);
		assert.deepEqual(over, []);
		await pass(31_000);
		assert.deepEqual(over, ["the token has ended"]);
	});

	it("are over when their session is revoked, and only they; nobody is asked where nobody is signed in", async () => {
		const { arrive, asked } = open({ revoked: async () => ["s1"] });
		await pass(5_000);
		assert.deepEqual(asked, []);
		const [one, tab, other] = [
			arrive(identity("a", { session: "s1" })),
			arrive(identity("a", { session: "s1" })),
			arrive(identity("a", { session: "s2" }))
		];
		await pass(1_000);
		assert.deepEqual([one.over, tab.over, other.over], [["the session was revoked"], ["the session was revoked"], []]);
		assert.deepEqual(
			[one, tab, other].map(({ peer }) => peer.identity?.session),
			[undefined, undefined, other.peer.identity!.session]
		);
		assert.deepEqual(asked, [["s1", "s2"]]);
	});

	it("stay while nobody can say what has been revoked, until their tokens end", async () => {
		const { arrive } = open({ revoked: () => Promise.reject(new Error("Postgres is away")) });
		const { over } = arrive(identity("a", { endsInMs: 10_000 }));
		await pass(9_000);
		assert.deepEqual(over, []);
		await pass(1_000);
		assert.deepEqual(over, ["the token has ended"]);
	});

	it("are asked about once at a time, however long the answer takes", async () => {
		const { arrive, asked } = open({ revoked: () => new Promise(() => {}) });
		arrive(identity("a"));
		await pass(30_000);
		assert.equal(asked.length, 1);
	});

	it("are so many an account and no more, and a place is free again when one leaves or becomes somebody else's", () => {
		const { peers, arrive } = open({ maxSocketsPerAccount: 2 });
		const [one, two] = [arrive(identity("a")), arrive(identity("a"))];
		const third = peers.connect("1")!;
		assert.equal(third.identify(identity("b")), true);
		assert.equal(third.identify(identity("a")), false);
		assert.equal(third.identity?.id, "b");
		assert.equal(one.peer.identify(identity("a")), true, "a fresh token takes no place");
		one.peer.disconnect();
		one.peer.disconnect();
		assert.equal(third.identify(identity("a")), true);
		assert.equal(peers.connect("1")!.identify(identity("a")), false);
		assert.equal(two.peer.identify(identity("c")), true);
		assert.equal(peers.connect("1")!.identify(identity("a")), true);
	});

	it("take no place of an account after they have left", () => {
		const { peers } = open({ maxSocketsPerAccount: 1 });
		const gone = peers.connect("1")!;
		gone.disconnect();
		gone.identify(identity("a"));
		assert.equal(peers.connect("1")!.identify(identity("a")), true);
	});

	it("send so much by themselves, so much an account and so much an address, and five times that at once", () => {
		const { arrive } = open({ maxFramesPerSecond: 1 });
		const taken = (...peers: { take(): boolean }[]) =>
			peers.reduce((sum, peer) => sum + [1, 2, 3, 4, 5, 6].filter(() => peer.take()).length, 0);
		const many = (n: number, as: (at: number) => string, address: string) =>
			Array.from({ length: n }, (_, at) => arrive(identity(as(at)), address).peer);
		assert.equal(taken(arrive(undefined, "1").peer), 5);
		assert.equal(taken(...many(12, () => "a", "2")), 25);
		assert.equal(taken(...many(12, () => "a", "3")), 0);
		assert.equal(taken(...many(40, at => `b${at}`, "4")), 100);
	});

	it("are not forgiven a flood for coming again", async () => {
		const { arrive } = open({ maxFramesPerSecond: 1 });
		const sockets = Array.from({ length: 6 }, () => arrive(identity("a")).peer);
		for (const peer of sockets) for (let n = 0; n < 6; n++) peer.take();
		for (const peer of sockets) peer.disconnect();
		await pass(1_000);
		const again = arrive(identity("a")).peer;
		const other = arrive(identity("a")).peer;
		const taken = [again, other].flatMap(peer => [1, 2, 3, 4, 5].filter(() => peer.take()));
		assert.equal(taken.length, 5, "what a second gives back");
	});

	it("leave to the others of their address what they need, however often they come again to flood", () => {
		const { arrive } = open({ maxFramesPerSecond: 100 });
		const neighbour = arrive(undefined, "1").peer;
		for (let lives = 0; lives < 1_000; lives++) {
			mock.timers.tick(10);
			const { peer } = arrive(undefined, "1");
			while (peer.take());
			peer.disconnect();
			if (lives % 100 === 0) assert.ok(neighbour.take(), `after ${lives} floods`);
		}
		assert.ok(arrive(undefined, "1").peer.take(), "and let others come");
	});
});
