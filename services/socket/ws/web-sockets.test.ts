import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { WebSocket } from "ws";
import { unauthorized } from "../../../mixins/errors.ts";
import { eventually } from "../../../test/client.ts";
import { actions, topics } from "../../contract.ts";
import type { Caller, Meta } from "../../define-service.ts";
import { localDelivery } from "../deliver.ts";
import { createPeers } from "../limits/peers.ts";
import { socketCounters } from "../metrics.ts";
import { localPresence } from "../presence/presence.ts";
import { createRooms, userRoom, watchersRoom } from "../rooms.ts";
import { type Client, createClient } from "./client.ts";
import { codelessAction, frameParser } from "./frames.ts";
import { openSession } from "./session.ts";
import { watchedLists } from "./watched-lists.ts";
import { webSockets } from "./web-sockets.ts";

const contracts = topics as never;

const ANN = `acct_${"a".repeat(32)}`;
const BEN = `acct_${"b".repeat(32)}`;
/** Here a token is what it says. */
const tokenOf = (id: string) => `token of ${id}`.replaceAll(" ", ".");
const identityIn = (token: string) => {
	const [, id] = /^token\.of\.(.+)$/.exec(token) ?? [];
	if (!id) throw unauthorized("This token is not valid");
	return { id, role: "user", session: id, expiresAtMs: Date.now() + 60_000 };
};

/** A WebSocket server with everything but the rest of the system behind it. */
async function open({
	maxSocketsPerAddress = 0,
	maxSocketsPerAccount = 0,
	framesPerSecond = 0,
	snapshot = async (): Promise<unknown> => [{ name: "a", count: 1 }],
	buy = async (bought: object, _meta: Meta): Promise<unknown> => bought
} = {}) {
	const rooms = createRooms(localPresence("me"));
	const lists = watchedLists(contracts, rooms);
	const counters = socketCounters();
	const { counts } = counters;
	const caller = {
		async call(name: string, params: { token: string }, options?: { meta: Meta }) {
			if (name === "users.authenticate") return identityIn(params.token);
			return name === "purchase.create" ? buy(params, options!.meta) : snapshot();
		}
	} as unknown as Caller;
	const peers = createPeers({ caller, maxSocketsPerAddress, maxSocketsPerAccount, maxFramesPerSecond: framesPerSecond });
	const sockets = webSockets({
		allowedOrigins: ["https://shop.example"],
		isTrusted: () => false,
		peers,
		caller,
		onConnection: (socket, peer) =>
			openSession(socket, createClient(socket, counters), peer, {
				rooms,
				lists,
				caller,
				guests: true,
				parse: frameParser(lists.names()),
				codeless: codelessAction(actions)
			})
	});
	const server = createServer().on("upgrade", sockets.upgrade).listen(0, "127.0.0.1");
	await once(server, "listening");
	const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
	after(async () => {
		await sockets.stop();
		server.close();
	});

	const connect = async (user: string, options = {}, token?: string) => {
		const socket = new WebSocket(url, options);
		const frames: { code: string; data: unknown }[] = [];
		socket.on("message", data => frames.push(JSON.parse(String(data))));
		await once(socket, "open");
		const say = (frame: object) => socket.send(JSON.stringify(frame));
		const be = (id: string, its?: string) => say({ code: "connect", data: { user: id, token: its } });
		be(user, token);
		await eventually(() => assert.equal(frames[0]?.code, "connected"), `${user} to be connected`);
		return { socket, frames, say, be };
	};
	const deliverTo = localDelivery({ topics: contracts, rooms, lists, emit() {} });
	const summaryTo = (room: string, index: number) => (user: string, count: number, name: string) =>
		deliverTo({ topic: "SelectionSummary", room, indexes: [index], message: { name, count, user_id: user }, headers: {} });
	const deliver = (user: string, count: number, name = "a") => summaryTo(userRoom(user), 0)(user, count, name);
	const deliverToWatchers = (count: number) => summaryTo(watchersRoom("selections"), 1)("u", count, "a");
	return { url, rooms, sockets, counts, connect, deliver, deliverToWatchers };
}

describe("sockets", () => {
	it("gives every socket of a user the frame and nobody else's", async () => {
		const { connect, deliver } = await open();
		const [one, two, other] = [await connect("u"), await connect("u"), await connect("other")];
		deliver("u", 1);
		deliver("other", 2);
		for (const { frames } of [one, two])
			await eventually(() => assert.deepEqual(frames[1]?.data, { name: "a", count: 1, user_id: "u" }), "the frame");
		await eventually(
			() => assert.deepEqual(other.frames[1]?.data, { name: "a", count: 2, user_id: "other" }),
			"the other's frame"
		);
		assert.deepEqual([one.frames.length, other.frames.length], [2, 2]);
	});

	it("leaves the old user's room when a socket becomes somebody else", async () => {
		const { connect, deliver, rooms } = await open();
		const { socket, frames } = await connect("first");
		socket.send(JSON.stringify({ code: "connect", data: { user: "second" } }));
		await eventually(() => assert.equal(frames.length, 2), "the second answer");
		deliver("first", 1);
		deliver("second", 2);
		await eventually(
			() => assert.deepEqual(frames[2]?.data, { name: "a", count: 2, user_id: "second" }),
			"the second user's frame"
		);
		assert.equal(rooms.members(userRoom("first")).size, 0);
	});

	it("replaces waiting counts by newer ones while a peer does not read, and shows it the last one when it does", async () => {
		const { connect, deliver, counts } = await open();
		const { socket, frames } = await connect("slow");
		socket.pause();
		// The kernel's buffers take a few megabytes before anything waits here.
		const name = "n".repeat(60);
		let count = 0;
		while (counts.conflated < 1_000 && count < 500_000) {
			for (let burst = 0; burst < 2_000; burst++) deliver("slow", ++count, name);
			await new Promise(setImmediate);
		}
		assert.ok(counts.conflated >= 1_000, `${counts.conflated} frames were replaced`);
		assert.equal(counts.slow, 0);
		socket.resume();
		await eventually(() => assert.deepEqual(frames.at(-1)!.data, { name, count, user_id: "slow" }), "the last count");
		assert.ok(frames.length < count);
	});

	it("shows a watcher at once what is told while its list is being read, and survives who watches, leaves and watches again", async () => {
		const reading = Promise.withResolvers<void>();
		const { connect, rooms, deliverToWatchers } = await open({
			snapshot: () => reading.promise.then(() => [{ name: "a", count: 3 }])
		});
		const { socket, frames } = await connect("watcher");
		const watch = (selections: boolean) => socket.send(JSON.stringify({ code: "watch", data: { selections } }));
		watch(true);
		await eventually(() => assert.equal(rooms.members("list:selections").size, 1), "the socket to watch");
		deliverToWatchers(4);
		reading.resolve();
		await eventually(
			() => assert.deepEqual(frames.at(-1), { code: "Selections", data: [{ name: "a", count: 4 }] }),
			"the list with what was told"
		);
		// Two changes at once leave a timer behind; whoever leaves and comes back meanwhile finds no list yet.
		deliverToWatchers(5);
		deliverToWatchers(6);
		for (let again = 0; again < 20; again++) {
			watch(false);
			watch(true);
		}
		await eventually(() => {
			deliverToWatchers(7);
			assert.deepEqual(frames.at(-1)?.data, [{ name: "a", count: 7 }]);
		}, "the newest count");
	});

	it("forgets a socket that closes while its frames are under way", async () => {
		const reading = Promise.withResolvers<void>();
		const { connect, rooms } = await open({ snapshot: () => reading.promise.then(() => []) });
		const { socket } = await connect("first");
		socket.send(JSON.stringify({ code: "watch", data: { selections: true } }));
		socket.send(JSON.stringify({ code: "connect", data: { user: "ghost" } }));
		await eventually(() => assert.equal(rooms.members("list:selections").size, 1), "the socket to watch");
		socket.terminate();
		await eventually(() => assert.deepEqual([...rooms.names()], []), "the socket to be forgotten");
		reading.resolve();
		await new Promise(setImmediate);
		await new Promise(setImmediate);
		assert.deepEqual([...rooms.names()], []);
	});

	it("hangs up on a peer that reads nothing of what cannot be replaced, after at most 1 MiB, and disturbs nobody else", async () => {
		const { connect, deliver, rooms, counts } = await open();
		const { socket } = await connect("stuck");
		const other = await connect("reader");
		socket.pause();
		const [client] = rooms.members(userRoom("stuck"));
		const closed = eventually(() => assert.equal(rooms.members(userRoom("stuck")).size, 0), "the stuck socket to be closed");
		for (let n = 0; n < 2_000 && counts.slow === 0; n++) {
			(client as Client).send({ code: "purchase", data: { id: "x".repeat(16_000) } });
			if (n % 10 === 0) await new Promise(setImmediate);
		}
		await closed;
		assert.equal(counts.slow, 1);
		deliver("reader", 1);
		await eventually(() => assert.equal(other.frames[1]?.code, "SelectionSummary"), "the other one's frame");
	});

	it("knows before the 101 who comes with a token, and answers 401 to one that is not valid", async () => {
		const { url, connect } = await open();
		for (const authorization of ["Bearer forged", "Bearer", "Basic YTpi", ""]) {
			const [, response] = await once(new WebSocket(url, { headers: { authorization } }), "unexpected-response");
			assert.equal(response.statusCode, 401, authorization);
			const { type, code } = JSON.parse(String((await response.toArray())[0]));
			assert.deepEqual([type, code], ["UNAUTHORIZED", 401], authorization);
		}
		await connect(ANN, { headers: { authorization: `Bearer ${tokenOf(ANN)}` } });
	});

	it("stays whose it is when it may not become somebody else's", async () => {
		const { connect, deliver } = await open();
		const { frames, be } = await connect(ANN, {}, tokenOf(ANN));
		be(BEN);
		be(BEN, "forged");
		be(`acct_${"c".repeat(32)}`, tokenOf(BEN));
		await eventually(() => assert.equal(frames.length, 4), "the refusals");
		const types = frames.slice(1).map(({ data }) => (data as { type: string }).type);
		assert.deepEqual(types, ["FORBIDDEN", "UNAUTHORIZED", "FORBIDDEN"]);
		deliver(BEN, 1);
		deliver(ANN, 2);
		await eventually(() => assert.equal(frames.length, 5), "a frame");
		assert.deepEqual(frames[4]!.data, { name: "a", count: 2, user_id: ANN });
		be(ANN);
		await eventually(
			() => assert.equal(frames.at(-1)!.code, "connected"),
			"it to be Ann's still, without saying the token again"
		);
	});

	it("answers what was asked before it became somebody else's first, and takes what comes after as the new one's", async () => {
		const committed = Promise.withResolvers<void>();
		const asked: (string | undefined)[] = [];
		const buy = async (bought: object, { caller }: Meta) => {
			asked.push(caller?.id);
			if (caller?.id === ANN) await committed.promise;
			return bought;
		};
		const { connect } = await open({ buy });
		const { frames, say, be } = await connect(ANN, {}, tokenOf(ANN));
		say({ user_id: ANN, amount: 1 });
		be(BEN, tokenOf(BEN));
		say({ user_id: BEN, amount: 2 });
		say({ code: "nothing" });
		await eventually(() => assert.equal(frames.length, 2), "the answer to what is no frame");
		assert.deepEqual(asked, [ANN]);
		committed.resolve();
		await eventually(() => assert.equal(frames.length, 5), "all answers");
		assert.deepEqual(
			frames
				.slice(2)
				.map(({ code, data }) => [
					code,
					(data as { user?: string; user_id?: string }).user ?? (data as { user_id: string }).user_id
				]),
			[
				["purchase", ANN],
				["connected", BEN],
				["purchase", BEN]
			]
		);
		assert.deepEqual(asked, [ANN, BEN]);
	});

	it("sends nothing of the former user that was still waiting for a slow peer, and the new one what both were told", async () => {
		const { connect, deliver, rooms, counts } = await open();
		const { socket, frames, be } = await connect(ANN, {}, tokenOf(ANN));
		socket.pause();
		const name = "n".repeat(60);
		let count = 0;
		while (counts.conflated < 100 && count < 500_000) {
			for (let burst = 0; burst < 2_000; burst++) deliver(ANN, ++count, name);
			await new Promise(setImmediate);
		}
		assert.ok(counts.conflated >= 100, `${counts.conflated} frames were replaced`);
		deliver(ANN, 1, "a secret");
		be(BEN, tokenOf(BEN));
		await eventually(() => assert.equal(rooms.members(userRoom(BEN)).size, 1), "the socket to be Ben's");
		deliver(BEN, count, name);
		socket.resume();
		await eventually(() => assert.deepEqual(frames.at(-1)!.data, { name, count, user_id: BEN }), "Ben's frame");
		assert.deepEqual(frames.at(-2), { code: "connected", data: { user: BEN } });
		assert.ok(!frames.some(({ data }) => (data as { name?: string }).name === "a secret"));
	});

	it("opens no more sockets of an account than it may have, at either door to being its", async () => {
		const { url, connect } = await open({ maxSocketsPerAccount: 1 });
		await connect(ANN, {}, tokenOf(ANN));
		const { frames, be } = await connect("guest");
		be(ANN, tokenOf(ANN));
		await eventually(() => assert.equal((frames[1]?.data as { type?: string })?.type, "TOO_MANY_SOCKETS"), "the refusal");
		const [, response] = await once(
			new WebSocket(url, { headers: { authorization: `Bearer ${tokenOf(ANN)}` } }),
			"unexpected-response"
		);
		assert.equal(response.statusCode, 429);
	});

	it("closes a flood with 1008 and a frame above 64 KiB with 1009", async () => {
		const { connect } = await open({ framesPerSecond: 10 });
		const flooding = (await connect("flood")).socket;
		const closed = once(flooding, "close");
		for (let n = 0; n < 60; n++) flooding.send("{}");
		assert.equal((await closed)[0], 1008);
		const large = (await connect("large")).socket;
		const closedToo = once(large, "close");
		large.send("x".repeat(64 * 1024 + 1));
		assert.equal((await closedToo)[0], 1009);
	});

	it("lets in no foreign origin, and no more sockets of an address than it may have", async () => {
		const { url, connect } = await open({ maxSocketsPerAddress: 1 });
		const refusal = async (origin?: string) => {
			const socket = new WebSocket(url, origin === undefined ? {} : { origin });
			const [, { statusCode }] = await once(socket, "unexpected-response");
			return statusCode;
		};
		assert.equal(await refusal("https://evil.example"), 403);
		const { socket } = await connect("one", { origin: "https://shop.example" });
		assert.equal(await refusal(), 429);
		socket.close();
		await once(socket, "close");
		await eventually(() => connect("two"), "the closed socket to be counted out");
	});

	it("answers what it has taken and says goodbye with 1001 when it stops", async () => {
		const { connect, sockets } = await open();
		const { socket } = await connect("u");
		const closed = once(socket, "close");
		await sockets.stop();
		assert.equal((await closed)[0], 1001);
	});
});
