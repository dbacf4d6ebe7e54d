import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { after, describe, it } from "node:test";
import { WebSocket } from "ws";
import type { Delivery, TopicContract } from "../../../contract/topic.ts";
import { unauthorized, unavailable } from "../../../mixins/errors.ts";
import { createConnections } from "../../../runtime/http/connections.ts";
import { limitConnections } from "../../../runtime/http/limit-connections.ts";
import { rejectUpgrade } from "../../../runtime/http/reject-upgrade.ts";
import { eventually, exchange, WAIT_MS } from "../../../test/client.ts";
import { within } from "../../../test/process.ts";
import { actions, topics } from "../../contract.ts";
import type { Caller, Meta } from "../../define-service.ts";
import { localDelivery } from "../deliver.ts";
import { createPeers } from "../limits/peers.ts";
import { socketCounters } from "../metrics.ts";
import { createRooms, userRoom, watchersRoom } from "../rooms.ts";
import { type Client, createClient } from "./client.ts";
import { codelessAction, frameParser } from "./frames.ts";
import { openSession } from "./session.ts";
import { watchedLists } from "./watched-lists.ts";
import { webSockets } from "./web-sockets.ts";

const contracts = topics as unknown as Record<string, TopicContract>;

const ANN = `acct_${"a".repeat(32)}`;
const BEN = `acct_${"b".repeat(32)}`;
/** A token of this test names its account. */
const tokenOf = (id: string) => `token of ${id}`.replaceAll(" ", ".");
const identityIn = (token: string) => {
	const [, id] = /^token\.of\.(.+)$/.exec(token) ?? [];
	if (!id) throw unauthorized("This token is not valid");
	return { id, role: "user", session: id, expiresAtMs: Date.now() + 60_000 };
};

/** Resolves to the code with which the socket is closed. */
const closeCodeOf = async (socket: WebSocket) =>
	(await within(once(socket, "close"), WAIT_MS, () => "the socket to be closed"))[0];

/** A WebSocket server; the rest of the system is replaced by `caller`. */
async function open({
	maxSocketsPerAddress = 0,
	maxSocketsPerAccount = 0,
	framesPerSecond = 0,
	snapshot = async (): Promise<unknown> => [{ name: "a", count: 1 }],
	buy = async (bought: object, _meta: Meta): Promise<unknown> => bought,
	reading = (): Promise<void> | undefined => undefined
} = {}) {
	const rooms = createRooms(reading);
	const lists = watchedLists(contracts, rooms);
	const counters = socketCounters();
	const { counts } = counters;
	const caller = {
		async call(name: string, params: { token: string }, options?: { meta: Meta }) {
			if (name === "users.authenticate") return identityIn(params.token);
			return name === "purchase.create" ? buy(params, options!.meta) : snapshot();
		}
	} as unknown as Caller;
	const logger = { warn: (line: unknown) => assert.fail(String(line)) };
	const peers = createPeers({ caller, logger, maxSocketsPerAccount, maxFramesPerSecond: framesPerSecond });
	const isTrusted = () => false;
	const rejected: number[] = [];
	const sockets = webSockets({
		allowedOrigins: ["https://shop.example"],
		isTrusted,
		peers,
		caller,
		logger,
		reject: (...rejection) => {
			rejected.push(rejection[1].code);
			rejectUpgrade(...rejection);
		},
		onConnection: (socket, peer) =>
			openSession(socket, createClient(socket, counters, peer.waiting), peer, {
				rooms,
				lists,
				caller,
				guests: true,
				parse: frameParser(lists.names()),
				codeless: codelessAction(actions)
			})
	});
	const connections = createConnections({ maxPerAddress: maxSocketsPerAddress, maxTotal: 1_000, isTrusted });
	const server = createServer(sockets.request).on("upgrade", sockets.upgrade);
	limitConnections(server, connections, () => undefined);
	server.listen(0, "127.0.0.1");
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
		const sendFrame = (frame: object) => socket.send(JSON.stringify(frame));
		const connectAs = (id: string, its?: string) => sendFrame({ code: "connect", data: { user: id, token: its } });
		connectAs(user, token);
		await eventually(() => assert.equal(frames[0]?.code, "connected"), `${user} to be connected`);
		return { socket, frames, sendFrame, connectAs };
	};
	const deliverTo = localDelivery({ topics: contracts, rooms, lists, emit() {} });
	const summaryTo = (room: string, index: number) => (user: string, count: number, name: string) => {
		const deliveries = [contracts.SelectionSummary!.deliveries![index] as Delivery<unknown>];
		deliverTo({ topic: "SelectionSummary", room, deliveries, message: { name, count, user_id: user }, headers: {} });
	};
	const deliver = (user: string, count: number, name = "a") => summaryTo(userRoom(user), 0)(user, count, name);
	const deliverToWatchers = (count: number) => summaryTo(watchersRoom("selections"), 1)("u", count, "a");
	return { url, rooms, rejected, sockets, counts, connect, deliver, deliverToWatchers };
}

describe("sockets", () => {
	it("sends a frame to every socket of its user and to no other", async () => {
		const { connect, deliver } = await open();
		const [one, two, other] = [await connect("u"), await connect("u"), await connect("other")];
		deliver("u", 1);
		deliver("other", 2);
		for (const { frames } of [one, two])
			await eventually(() => assert.deepEqual(frames[1]?.data, { name: "a", count: 1, user_id: "u" }), "the frame");
		await eventually(
			() => assert.deepEqual(other.frames[1]?.data, { name: "a", count: 2, user_id: "other" }),
			"the other user's frame"
		);
		assert.deepEqual([one.frames.length, other.frames.length], [2, 2]);
	});

	it("leaves the former user's room when a socket connects as another user", async () => {
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

	it("replaces queued counts by newer ones while a client does not read, and sends the last one when it reads", async () => {
		const { connect, deliver, counts } = await open();
		const { socket, frames } = await connect("slow");
		socket.pause();
		// The kernel buffers a few megabytes before frames are queued here.
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

	it("sends a watcher its list with the changes made while the list was read, also after it unsubscribes and subscribes repeatedly", async () => {
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
			"the list with the change"
		);
		// The second of two changes starts a timer; a watcher that leaves and returns before it fires finds no list yet.
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

	it("removes a socket that closes while its frames are in flight from all rooms", async () => {
		const reading = Promise.withResolvers<void>();
		const { connect, rooms } = await open({ snapshot: () => reading.promise.then(() => []) });
		const { socket } = await connect("first");
		const itsRooms = [watchersRoom("selections"), userRoom("first"), userRoom("second")];
		const membersNow = () => itsRooms.map(room => rooms.members(room).size);
		socket.send(JSON.stringify({ code: "watch", data: { selections: true } }));
		socket.send(JSON.stringify({ code: "connect", data: { user: "second" } }));
		await eventually(() => assert.equal(rooms.members("list:selections").size, 1), "the socket to watch");
		socket.terminate();
		await eventually(() => assert.deepEqual(membersNow(), [0, 0, 0]), "the socket to be removed");
		reading.resolve();
		await new Promise(setImmediate);
		await new Promise(setImmediate);
		assert.deepEqual(membersNow(), [0, 0, 0]);
	});

	it("disconnects a client that does not read, after at most 1 MiB of frames that cannot be replaced, and no other client", async () => {
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
		await eventually(() => assert.equal(other.frames[1]?.code, "SelectionSummary"), "the other client's frame");
	});

	it("answers a purchase that was made although its node cannot read the topics, and joins the room with the next one", async () => {
		let reads = 0;
		const { url, rooms } = await open({ reading: () => (reads++ === 0 ? Promise.reject(unavailable("the topics")) : undefined) });
		const socket = new WebSocket(url);
		await once(socket, "open");
		const buy = async () => {
			socket.send(JSON.stringify({ user_id: "ann", amount: 5 }));
			const [data] = await once(socket, "message");
			return JSON.parse(String(data)).code;
		};
		assert.equal(await buy(), "purchase");
		await eventually(() => assert.equal(rooms.members(userRoom("ann")).size, 0), "the failed join to end");
		assert.equal(await buy(), "purchase");
		await eventually(() => assert.equal(rooms.members(userRoom("ann")).size, 1), "the next purchase to join the room");
	});

	it("authenticates a token in the upgrade request, and answers 401 if it is not valid", async () => {
		const { url, connect } = await open();
		for (const authorization of ["Bearer forged", "Bearer", "Basic YTpi", ""]) {
			const [, response] = await once(new WebSocket(url, { headers: { authorization } }), "unexpected-response");
			assert.equal(response.statusCode, 401, authorization);
			const { type, code } = JSON.parse(String((await response.toArray())[0]));
			assert.deepEqual([type, code], ["UNAUTHORIZED", 401], authorization);
		}
		await connect(ANN, { headers: { authorization: `Bearer ${tokenOf(ANN)}` } });
	});

	it("keeps its user when it may not connect as another", async () => {
		const { connect, deliver } = await open();
		const { frames, connectAs } = await connect(ANN, {}, tokenOf(ANN));
		connectAs(BEN);
		connectAs(BEN, "forged");
		connectAs(`acct_${"c".repeat(32)}`, tokenOf(BEN));
		await eventually(() => assert.equal(frames.length, 4), "the errors");
		const types = frames.slice(1).map(({ data }) => (data as { type: string }).type);
		assert.deepEqual(types, ["FORBIDDEN", "UNAUTHORIZED", "FORBIDDEN"]);
		deliver(BEN, 1);
		deliver(ANN, 2);
		await eventually(() => assert.equal(frames.length, 5), "a frame");
		assert.deepEqual(frames[4]!.data, { name: "a", count: 2, user_id: ANN });
		connectAs(ANN);
		await eventually(() => assert.equal(frames.at(-1)!.code, "connected"), "it to connect as Ann again without a token");
	});

	it("answers frames sent before a change of user first, and later frames as the new user", async () => {
		const committed = Promise.withResolvers<void>();
		const callers: (string | undefined)[] = [];
		const buy = async (bought: object, { caller }: Meta) => {
			callers.push(caller?.id);
			if (caller?.id === ANN) await committed.promise;
			return bought;
		};
		const { connect } = await open({ buy });
		const { frames, sendFrame, connectAs } = await connect(ANN, {}, tokenOf(ANN));
		sendFrame({ user_id: ANN, amount: 1 });
		connectAs(BEN, tokenOf(BEN));
		sendFrame({ user_id: BEN, amount: 2 });
		sendFrame({ code: "nothing" });
		await eventually(() => assert.equal(frames.length, 2), "the answer to the invalid frame");
		assert.deepEqual(callers, [ANN]);
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
		assert.deepEqual(callers, [ANN, BEN]);
	});

	it("drops the former user's queued frames after a change of user, and sends the new user counts that the former had got", async () => {
		const { connect, deliver, rooms, counts } = await open();
		const { socket, frames, connectAs } = await connect(ANN, {}, tokenOf(ANN));
		socket.pause();
		const name = "n".repeat(60);
		let count = 0;
		while (counts.conflated < 100 && count < 500_000) {
			for (let burst = 0; burst < 2_000; burst++) deliver(ANN, ++count, name);
			await new Promise(setImmediate);
		}
		assert.ok(counts.conflated >= 100, `${counts.conflated} frames were replaced`);
		deliver(ANN, 1, "a secret");
		connectAs(BEN, tokenOf(BEN));
		await eventually(() => assert.equal(rooms.members(userRoom(BEN)).size, 1), "the socket to be Ben's");
		deliver(BEN, count, name);
		socket.resume();
		await eventually(() => assert.deepEqual(frames.at(-1)!.data, { name, count, user_id: BEN }), "Ben's frame");
		assert.deepEqual(frames.at(-2), { code: "connected", data: { user: BEN } });
		assert.ok(!frames.some(({ data }) => (data as { name?: string }).name === "a secret"));
	});

	it("refuses more sockets of an account than are allowed, in a connect frame and in the upgrade", async () => {
		const { url, connect } = await open({ maxSocketsPerAccount: 1 });
		await connect(ANN, {}, tokenOf(ANN));
		const { frames, connectAs } = await connect("guest");
		connectAs(ANN, tokenOf(ANN));
		await eventually(() => assert.equal((frames[1]?.data as { type?: string })?.type, "TOO_MANY_SOCKETS"), "the error");
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

	it("closes a socket whose unfinished message has too many fragments, and one whose fragments are a flood, with 1008", async () => {
		const { connect } = await open();
		const { socket } = await connect("one");
		const closed = closeCodeOf(socket);
		for (let n = 0; n < 33; n++) socket.send("x", { fin: false });
		assert.equal(await closed, 1008);

		const limited = await open({ framesPerSecond: 10 });
		const flooding = (await limited.connect("flood")).socket;
		const closedToo = closeCodeOf(flooding);
		for (let messages = 0; messages < 3; messages++) for (let n = 1; n <= 20; n++) flooding.send("x", { fin: n === 20 });
		assert.equal(await closedToo, 1008);
	});

	it("accepts a message in several fragments", async () => {
		const { connect } = await open();
		const { socket, frames } = await connect("one");
		const parts = ['{"code":"conn', 'ect","data":{"us', 'er":"two"}}'];
		parts.forEach((part, n) => void socket.send(part, { fin: n === parts.length - 1 }));
		await eventually(() => assert.deepEqual(frames[1], { code: "connected", data: { user: "two" } }), "the answer");
	});

	it("closes a socket whose frame arrives in too many pieces with 1008", async () => {
		const { url } = await open();
		const socket = new WebSocket(url, { perMessageDeflate: false });
		await once(socket, "open");
		const closed = closeCodeOf(socket);
		const { _socket: tcp } = socket as unknown as { _socket: Socket };
		tcp.setNoDelay(true);
		// A masked text frame of 60,000 bytes, one byte at a time: each write waits until the one before has left.
		tcp.write(Buffer.from([0x81, 0xfe, 60_000 >> 8, 60_000 & 255, 0, 0, 0, 0]));
		let isClosed = false;
		socket.on("close", () => {
			isClosed = true;
		});
		for (let n = 0; n < 59_000 && !isClosed; n++) {
			tcp.write("x");
			await new Promise(setImmediate);
		}
		assert.equal(await closed, 1008);
	});

	it("confirms no subprotocol", async () => {
		const { url } = await open();
		const head = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
		const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
		// An unmasked frame, after which the server closes the connection.
		const answer = await exchange(url, `${head}${key}Sec-WebSocket-Protocol: chat, superchat\r\n\r\n\u0001\u0001x`);
		assert.match(answer, /^HTTP\/1\.1 101 /);
		assert.doesNotMatch(answer, /Sec-WebSocket-Protocol/i);
	});

	it("answers 426 to a request without an upgrade, and 400 to a bad handshake, with a request id and in JSON", async () => {
		const { url, rejected } = await open();
		const plain = await exchange(url, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
		assert.match(plain, /^HTTP\/1\.1 426 /);
		assert.match(plain, /^Upgrade: websocket\r$/m);
		assert.equal(JSON.parse(plain.split("\r\n\r\n")[1]!).type, "UPGRADE_REQUIRED");
		const upgrade = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
		for (const bad of ["", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 7\r\n"]) {
			const answer = await exchange(url, `${upgrade}${bad}\r\n`);
			assert.match(answer, /^HTTP\/1\.1 400 /);
			assert.match(answer, /^X-Request-ID: \S+\r$/m);
			assert.match(answer, /^Sec-WebSocket-Version: 13, 8\r$/m);
			assert.equal(JSON.parse(answer.split("\r\n\r\n")[1]!).type, "BAD_REQUEST");
		}
		assert.deepEqual(rejected, [400, 400], "they count as requests of their client");
	});

	it("refuses other origins, and more sockets of an address than are allowed", async () => {
		const { url, connect } = await open({ maxSocketsPerAddress: 1 });
		const statusOf = async (origin?: string) => {
			const socket = new WebSocket(url, origin === undefined ? {} : { origin });
			const [, { statusCode }] = await once(socket, "unexpected-response");
			return statusCode;
		};
		assert.equal(await statusOf("https://evil.example"), 403);
		const { socket } = await connect("one", { origin: "https://shop.example" });
		assert.equal(await statusOf(), 429);
		socket.close();
		await once(socket, "close");
		await eventually(() => connect("two"), "the closed socket to be counted no more");
	});

	it("closes sockets with 1001 when it stops", async () => {
		const { connect, sockets } = await open();
		const { socket } = await connect("u");
		const closed = once(socket, "close");
		await sockets.stop();
		assert.equal((await closed)[0], 1001);
	});
});
