// Subscriptions to rooms with a snapshot: real Socket.IO clients, and a topic and an action of the test's own.
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { Context } from "moleculer";
import { z } from "zod";
import { action } from "../../../contract/action.ts";
import { roomSubscription, type TopicContract, topic } from "../../../contract/topic.ts";
import { notFound, unavailable } from "../../../mixins/errors.ts";
import { eventually, WAIT_MS } from "../../../test/client.ts";
import { within } from "../../../test/process.ts";
import { randomFrom } from "../../../test/random.ts";
import type { Caller, Received } from "../../define-service.ts";
import { localDelivery, roomMessagesOf } from "../deliver.ts";
import type { Peer } from "../limits/peers.ts";
import { createRooms } from "../rooms.ts";
import { watchedLists } from "../ws/watched-lists.ts";
import type { Socket } from "./auth.ts";
import { ClientSubscriptions } from "./client-subscriptions.ts";
import { declaredRooms } from "./declared-rooms.ts";
import { bytesOf } from "./packets.ts";
import { roomSubscribers } from "./room-subscribers.ts";
import type { ReadSnapshot, SnapshotRequest } from "./snapshot-reads.ts";
import { openTransport, TOKEN, type TransportOptions } from "./socket-io.testing.ts";

const Box = z.strictObject({ box: z.string(), version: z.number(), things: z.array(z.number()) });
type Box = z.output<typeof Box>;
const BoxId = z.strictObject({ id: z.string().max(64) });
const actions = {
	"boxes.get": action({ who: "anyone", params: BoxId, result: Box }),
	"boxes.secret": action({ who: "account", params: BoxId, result: Box })
};
type BoxActions = typeof actions;

const boxesBy = (name: string, snapshot: keyof BoxActions) =>
	roomSubscription(name, actions, snapshot, {
		data: z.strictObject({ box: z.string().max(64) }),
		params: ({ box }) => ({ id: box }),
		room: ({ box }: { box: string }) => `box:${box}`,
		versionOf: ({ version }: { version: number }) => version
	});
const boxes = boxesBy("boxes", "boxes.get");

const Changed = z.looseObject({ box: z.string(), version: z.number() });
type Changed = z.output<typeof Changed>;
const changed = topic({
	message: Changed,
	key: ({ box }) => box,
	change: ({ box, version }) => ({ key: box, seq: version }),
	deliveries: [
		{ to: { subscribersOf: boxes }, event: "box:changed" },
		{ to: { subscribersOf: boxesBy("secrets", "boxes.secret") }, event: "secret:changed" }
	]
});
const topics = { "box.changed": changed as unknown as TopicContract };

const UNAVAILABLE = { ok: false, error: { type: "UNAVAILABLE" } };
const UNSUBSCRIBED = { ok: false, error: { type: "UNSUBSCRIBED" } };
const TOO_MANY_REQUESTS = { ok: false, error: { type: "TOO_MANY_REQUESTS" } };

type Read = (box: string) => Box | Promise<Box>;

/** The node, whose boxes the test reads and changes. `read` replaces the action. */
async function open(t: TestContext, options: TransportOptions & { read?: Read } = {}) {
	const stored = new Map<string, Box>();
	const current = (box: string): Box => {
		const found = stored.get(box);
		if (!found) throw notFound("There is no such box");
		return structuredClone(found);
	};
	let read: Read = options.read ?? current;
	let reads = 0;
	const get = ({ params: { id } }: Context<{ id: string }>) => {
		reads++;
		return read(id);
	};
	const transport = await openTransport(t, {
		declared: declaredRooms(topics, actions),
		actions: { boxes: { get, secret: get } },
		...options
	});
	const { rooms, service, connect } = transport;
	const emit = service.emitTo.bind(service);
	const deliver = localDelivery({ topics, rooms, lists: watchedLists(topics, rooms), emit });

	/** The topic's message reaches this node. */
	const publish = async (message: Changed) => {
		const received = { message, ctx: {}, record: { headers: {} } } as unknown as Received<unknown>;
		for (const one of await roomMessagesOf("box.changed", topics["box.changed"], [received], rooms)) deliver(one);
	};
	/** Stores the next version of a box; returns its message, which is not published yet. */
	const change = (box: string): Changed => {
		const { version, things } = stored.get(box) ?? { version: 0, things: [] };
		const next = version + 1;
		stored.set(box, { box, version: next, things: [...things, next] });
		return { box, version: next };
	};

	/** A client whose `log` has its acknowledgements and events in order: the versions of events, and acknowledgements whole. */
	const client = async (of: Parameters<typeof connect>[0] = {}) => {
		const log: unknown[] = [];
		const onEvent = (event: string, payload: unknown) => event === "box:changed" && log.push((payload as Changed).version);
		const { socket } = await connect({ onEvent, ...of });
		const send = (event: string, data: unknown) =>
			new Promise<unknown>((resolve, reject) => {
				const failed = setTimeout(() => reject(new Error(`no acknowledgement of ${event} within ${WAIT_MS} ms`)), WAIT_MS);
				socket.emit(event, data, (answer: unknown) => {
					clearTimeout(failed);
					log.push(answer);
					resolve(answer);
				});
			});
		return {
			socket,
			log,
			send,
			subscribe: (box: string) => send("subscribe:boxes", { box }),
			unsubscribe: (box: string) => send("unsubscribe:boxes", { box }),
			until: (expected: unknown[]) => eventually(() => assert.deepEqual(log, expected), "the client's events")
		};
	};

	return {
		...transport,
		client,
		change,
		publish,
		current,
		reads: () => reads,
		replaceRead(next: Read) {
			read = next;
		}
	};
}

const snapshot = (box: string, version: number) => ({
	ok: true,
	boxes: { box, version, things: Array.from({ length: version }, (_, n) => n + 1) }
});

/** A read that waits until it is allowed to continue. */
function gate() {
	const [begun, open] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const through = async () => {
		begun.resolve();
		await open.promise;
	};
	const hasBegun = () => within(begun.promise, WAIT_MS, () => "a read to begin");
	return { through, hasBegun, open: open.resolve };
}

const LARGE_BYTES = 4_000_000;

/** A node whose snapshots have 4 MB. */
async function openLarge(t: TestContext) {
	const things = Array<number>(LARGE_BYTES / 8).fill(1_000_000);
	const node = await open(t, { read: box => ({ box, version: 1, things }) });
	const { openWebSocket, service } = node;
	const connections = () => Object.values(service.io.engine.clients);

	/** A client that reads nothing once it has connected. `answers`: what the node has sent to its requests, `ok` or the type of the refusal. */
	const openStuck = async () => {
		const others = connections();
		const socket = await openWebSocket();
		const received: string[] = [];
		socket.on("message", data => received.push(String(data)));
		// Socket.IO's packet `connect`, and the answer to it.
		socket.send("40");
		await eventually(() => assert.match(received.at(-1) ?? "", /^40/), "Socket.IO to connect");
		socket.pause();
		const connection = connections().find(one => !others.includes(one))!;
		const answers: string[] = [];
		connection.on("packetCreate", ({ data }) => {
			const [, ok, type] = /^3\d+\[\{"ok":(?:(true)|false,"error":\{"type":"(\w+)")/.exec(String(data).slice(0, 200)) ?? [];
			if (ok ?? type) answers.push(type ?? "ok");
		});
		let requests = 0;
		return {
			socket,
			answers,
			subscribe: () => socket.send(`42${requests++}["subscribe:boxes",{"box":"a"}]`),
			pong: () => socket.send("3"),
			waitingBytes: () =>
				connection.writeBuffer.reduce((sum, packet) => sum + bytesOf(packet), connection.transport.socket?.bufferedAmount ?? 0)
		};
	};
	return { ...node, openStuck };
}

for (const transport of ["websocket", "polling"] as const)
	describe(`a subscription by ${transport}`, () => {
		it("is acknowledged with the snapshot; only newer events follow, in order and once", async t => {
			const { client, change, publish } = await open(t);
			const [first, second] = [change("a"), change("a")];
			const { subscribe, until } = await client({ transports: [transport] });
			assert.deepEqual(await subscribe("a"), snapshot("a", 2));
			await publish(first);
			await publish(second);
			const [third, fourth] = [change("a"), change("a")];
			for (const message of [third, third, fourth, third]) await publish(message);
			await publish(change("b"));
			await until([snapshot("a", 2), 3, 4]);
		});

		it("holds what arrives while the snapshot is read, and sends after the acknowledgement what the snapshot lacks", async t => {
			const { client, change, publish, current, replaceRead } = await open(t);
			const reading = gate();
			replaceRead(async box => {
				await reading.through();
				const read = current(box);
				await publish(change(box));
				return read;
			});
			const { subscribe, until } = await client({ transports: [transport] });
			const messages = [change("a"), change("a"), change("a")];
			const subscribed = subscribe("a");
			await reading.hasBegun();
			for (const message of messages) await publish(message);
			reading.open();
			await subscribed;
			await publish(change("a"));
			await until([snapshot("a", 3), 4, 5]);
		});
	});

describe("a subscription", () => {
	it("sends the first event after its room has opened, whatever its number", async t => {
		const { client, change, publish } = await open(t);
		for (let n = 0; n < 40; n++) await publish(change("a"));
		const { subscribe, until } = await client();
		await subscribe("a");
		await publish(change("a"));
		await until([snapshot("a", 40), 41]);
	});

	it("is refused for data that is not valid, a room that does not exist, and a caller who may not read it", async t => {
		const { client, rooms, publish } = await open(t);
		const { send, log } = await client();
		const refusedWith = async (event: string, data: unknown, error: object) =>
			assert.deepEqual(await send(event, data), { ok: false, error }, `${event} ${JSON.stringify(data)}`);
		for (const event of ["subscribe:boxes", "unsubscribe:boxes"]) {
			await refusedWith(event, {}, { type: "VALIDATION_ERROR", field: "box" });
			await refusedWith(event, { box: 7 }, { type: "VALIDATION_ERROR", field: "box" });
			await refusedWith(event, { box: "a", other: 1 }, { type: "VALIDATION_ERROR", field: "other" });
			await refusedWith(event, "a", { type: "VALIDATION_ERROR", field: "data" });
		}
		await refusedWith("subscribe:boxes", { box: "none" }, { type: "NOT_FOUND" });
		await refusedWith("subscribe:secrets", { box: "a" }, { type: "UNAUTHORIZED" });
		assert.equal(rooms.openedAtMs("box:none"), undefined);
		const refusals = log.length;
		await publish({ box: "none", version: 1 });
		assert.deepEqual(await send("nothing", {}), { ok: false, error: { type: "UNKNOWN_EVENT" } });
		assert.equal(log.length, refusals + 1, "an event reached a client that has not subscribed");
	});

	it("is given to an account that may read the room", async t => {
		const { client, change } = await open(t);
		change("a");
		const { send } = await client({ auth: { token: TOKEN } });
		const { ok, boxes: secrets } = snapshot("a", 1);
		assert.deepEqual(await send("subscribe:secrets", { box: "a" }), { ok, secrets });
	});

	it("answers without data, and needs no acknowledgement", async t => {
		const { client, change, publish, reads } = await open(t);
		change("a");
		const { socket, until } = await client();
		const missing = { ok: false, error: { type: "VALIDATION_ERROR", field: "data" } };
		for (const event of ["subscribe:boxes", "unsubscribe:boxes"])
			assert.deepEqual(await socket.timeout(WAIT_MS).emitWithAck(event), missing);
		socket.emit("subscribe:boxes", { box: "a" });
		await eventually(() => assert.equal(reads(), 1), "the snapshot to be read");
		await publish(change("a"));
		await until([2]);
	});

	it("does not exist after a snapshot that was unavailable; a later one is given", async t => {
		const { client, change, publish, current, rooms, replaceRead } = await open(t);
		const messages = [change("a"), change("a")];
		const { subscribe, until } = await client();
		replaceRead(() => Promise.reject(unavailable("Postgres")));
		assert.deepEqual(await subscribe("a"), UNAVAILABLE);
		assert.equal(rooms.openedAtMs("box:a"), undefined);
		for (const message of messages) await publish(message);
		replaceRead(current);
		await subscribe("a");
		await publish(change("a"));
		await until([UNAVAILABLE, snapshot("a", 2), 3]);
	});

	it("waits until the node reads the topics, and is refused if it cannot", async t => {
		const reading = Promise.withResolvers<void>();
		let isFirst = true;
		const { client, change, reads, rooms } = await open(t, {
			// A client's own rooms are entered when it connects.
			reading: () => (isFirst ? undefined : reading.promise)
		});
		change("a");
		const { subscribe } = await client();
		isFirst = false;
		const subscribed = subscribe("a");
		await eventually(() => assert.ok(rooms.openedAtMs("box:a")), "the client to be in the room");
		await nextTurn();
		assert.equal(reads(), 0, "the snapshot was read before the topics");
		reading.reject(unavailable("the topics"));
		assert.deepEqual(await subscribed, UNAVAILABLE);
		assert.deepEqual([reads(), rooms.openedAtMs("box:a")], [0, undefined]);
	});

	it("again answers a fresh snapshot; no event comes twice, and none is missing after it", async t => {
		const { client, change, publish, current, replaceRead } = await open(t);
		const { subscribe, until } = await client();
		await publish(change("a"));
		await subscribe("a");
		await publish(change("a"));
		await until([snapshot("a", 1), 2]);
		const reading = gate();
		replaceRead(async box => {
			const read = current(box);
			await reading.through();
			return read;
		});
		const inSnapshot = change("a");
		const again = subscribe("a");
		await reading.hasBegun();
		await publish(inSnapshot);
		await publish(change("a"));
		reading.open();
		await again;
		await publish(change("a"));
		await until([snapshot("a", 1), 2, snapshot("a", 3), 4, 5]);
	});

	it("again, when the snapshot is unavailable, leaves the subscription as it was, and no event is missing", async t => {
		const { client, change, publish, replaceRead } = await open(t);
		const { subscribe, until } = await client();
		await publish(change("a"));
		await subscribe("a");
		await publish(change("a"));
		replaceRead(async box => {
			await publish(change(box));
			throw unavailable("Postgres");
		});
		await subscribe("a");
		await publish(change("a"));
		await until([snapshot("a", 1), 2, 3, UNAVAILABLE, 4]);
	});

	it("again, when the snapshot comes after its request has timed out, goes on from the former one", async () => {
		const rooms = createRooms();
		const subscribers = roomSubscribers();
		const emitted: unknown[] = [];
		const inRoom: string[] = [];
		const conn = { on() {}, off() {}, readyState: "closed" };
		const socket = {
			conn,
			data: {},
			emit: (_: string, payload: unknown) => emitted.push(payload),
			join: (room: string) => inRoom.push(room),
			leave() {}
		} as unknown as Socket;
		const peer = { takeForAnswer: () => true } as unknown as Peer;
		/** What the test does with a request. */
		let handle: ReadSnapshot = async (_, request) => {
			await request.begin();
			await request.serve({ box: "a", version: 1, things: [] });
		};
		const readSnapshot: ReadSnapshot = (about, request) => handle(about, request);
		const common = { socket, peer, address: "", guests: true, rooms, caller: {} as Caller };
		const client = new ClientSubscriptions({ ...common, subscribers, readSnapshot });
		const declared = declaredRooms(topics, actions).get("boxes")!;
		const subscribe = () => {
			const answers: unknown[] = [];
			return client.subscribe(declared, { box: "a" }, answer => answers.push(answer)).then(() => answers);
		};
		const event = (version: number) => subscribers.beforeEvent("box:a", { name: "box:changed", payload: version, version });

		assert.deepEqual(await subscribe(), [{ ok: true, boxes: { box: "a", version: 1, things: [] } }]);
		let late: SnapshotRequest | undefined;
		handle = async (_, request) => {
			late = request;
			await request.begin();
			event(2);
			throw unavailable("the room's snapshot");
		};
		assert.deepEqual(await subscribe(), [UNAVAILABLE]);
		await late!.serve({ box: "a", version: 5, things: [] });
		assert.deepEqual([emitted, inRoom], [[2], []]);
		event(3);
		assert.deepEqual(inRoom, ["box:a"], "the client did not get event 3");
	});

	it("is limited to 20 rooms a connection; one more is refused until another was left", async t => {
		const { client, change } = await open(t);
		const names = Array.from({ length: 21 }, (_, n) => `box-${n}`);
		for (const name of names) change(name);
		const { subscribe, unsubscribe } = await client();
		const last = names.pop()!;
		for (const name of names) assert.deepEqual(await subscribe(name), snapshot(name, 1));
		const tooMany = { ok: false, error: { type: "TOO_MANY_SUBSCRIPTIONS" } };
		assert.deepEqual(await subscribe(last), tooMany);
		assert.deepEqual(await subscribe(names[0]!), snapshot(names[0]!, 1));
		assert.deepEqual(await unsubscribe(names[0]!), { ok: true });
		assert.deepEqual(await subscribe(last), snapshot(last, 1));
		const other = await client();
		assert.deepEqual(await other.subscribe(names[0]!), snapshot(names[0]!, 1));
	});

	it("ends by unsubscribe, also where there is none", async t => {
		const { client, change, publish, rooms } = await open(t);
		change("a");
		const [leaving, staying] = [await client(), await client()];
		assert.deepEqual(await leaving.unsubscribe("a"), { ok: true });
		for (const { subscribe } of [leaving, staying]) await subscribe("a");
		await publish(change("a"));
		await leaving.unsubscribe("a");
		await publish(change("a"));
		await staying.until([snapshot("a", 1), 2, 3]);
		await leaving.until([{ ok: true }, snapshot("a", 1), 2, { ok: true }]);
		await staying.unsubscribe("a");
		assert.equal(rooms.openedAtMs("box:a"), undefined);
	});

	it("ends by unsubscribe while its snapshot is read; the next one is given", async t => {
		const { client, change, publish, current, replaceRead, rooms } = await open(t);
		const reading = gate();
		replaceRead(async box => {
			await reading.through();
			return current(box);
		});
		change("a");
		const { subscribe, unsubscribe, until } = await client();
		const first = subscribe("a");
		await reading.hasBegun();
		assert.deepEqual(await unsubscribe("a"), { ok: true });
		assert.equal(rooms.openedAtMs("box:a"), undefined);
		const second = subscribe("a");
		await publish(change("a"));
		reading.open();
		assert.deepEqual([await first, await second], [UNSUBSCRIBED, snapshot("a", 2)]);
		await publish(change("a"));
		await until([UNSUBSCRIBED, { ok: true }, snapshot("a", 2), 3]);
	});

	it("leaves nothing behind when the connection is closed: while the snapshot is read, before the first event, and after it", async t => {
		const { client, change, publish, current, rooms, service, replaceRead } = await open(t);
		const reading = gate();
		for (const box of ["read", "new", "joined"]) change(box);
		const { socket, subscribe } = await client();
		await subscribe("joined");
		await publish(change("joined"));
		await subscribe("new");
		replaceRead(async box => {
			await reading.through();
			return current(box);
		});
		socket.emit("subscribe:boxes", { box: "read" });
		await reading.hasBegun();
		assert.equal(service.emitTo("box:joined", "event", 1), 1);
		socket.disconnect();
		const opened = () => ["read", "new", "joined"].filter(box => rooms.openedAtMs(`box:${box}`) !== undefined);
		await eventually(() => assert.deepEqual(opened(), []), "the rooms to be empty");
		reading.open();
		await nextTurn();
		for (const box of ["read", "new", "joined"]) {
			await publish(change(box));
			assert.equal(service.emitTo(`box:${box}`, "event", 1), 0, box);
		}
		assert.deepEqual(opened(), []);
	});

	it("serializes an event once for all subscribers of a room", async t => {
		const { client, change, publish } = await open(t);
		change("a");
		let serialized = 0;
		/** An event that counts how often Socket.IO reads it. */
		const counted = async () => {
			serialized = 0;
			const { box, version } = change("a");
			await publish({
				box,
				version,
				toJSON: () => {
					serialized++;
					return { box, version };
				}
			} as Changed);
			return serialized;
		};
		const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => client()));
		await first!.subscribe("a");
		const forOne = await counted();
		assert.ok(forOne > 0);
		for (const { subscribe } of others) await subscribe("a");
		// The first event brings them into Socket.IO's room.
		assert.deepEqual([await counted(), await counted()], [forOne, forOne]);
		for (const { until } of others) await until([snapshot("a", 2), 3, 4]);
	});

	it("of many clients of one address is read a few times, and each gets its own events", async t => {
		const { client, change, publish, current, reads, replaceRead } = await open(t);
		const reading = gate();
		replaceRead(async box => {
			await reading.through();
			return current(box);
		});
		change("a");
		const clients = await Promise.all(Array.from({ length: 50 }, () => client({ transports: ["websocket"] })));
		const [first, ...others] = clients.map(({ subscribe }) => subscribe("a"));
		await reading.hasBegun();
		// All requests have arrived once an event sent after them is answered.
		await Promise.all(clients.map(({ socket }) => socket.timeout(WAIT_MS).emitWithAck("nothing")));
		await publish(change("a"));
		reading.open();
		await Promise.all([first, ...others]);
		assert.equal(reads(), 2);
		await publish(change("a"));
		for (const { until } of clients) await until([snapshot("a", 2), 3]);
	});

	it("of one address does not wait for the snapshots of another", async t => {
		const { client, change, current, replaceRead } = await open(t, { proxies: ["127.0.0.1"] });
		const reading = gate();
		replaceRead(async box => {
			if (box !== "free") await reading.through();
			return current(box);
		});
		for (const box of ["free", "slow", "other"]) change(box);
		const from = (address: string) => client({ headers: { "x-forwarded-for": address } });
		const [busy, neighbour, free] = [await from("203.0.113.1"), await from("203.0.113.1"), await from("203.0.113.2")];
		const slow = busy.subscribe("slow");
		await reading.hasBegun();
		const [again, waiting] = [busy.subscribe("slow"), neighbour.subscribe("free")];
		// Both have arrived when an event sent after them is answered.
		for (const { socket } of [busy, neighbour]) await socket.timeout(WAIT_MS).emitWithAck("nothing");
		assert.deepEqual(await free.subscribe("free"), snapshot("free", 1));
		assert.deepEqual([busy.log, neighbour.log], [[], []]);
		reading.open();
		assert.deepEqual(await Promise.all([slow, again, waiting]), [snapshot("slow", 1), snapshot("slow", 1), snapshot("free", 1)]);
	});

	it("is not read for clients that have all left while they waited", async t => {
		const { client, change, current, reads, replaceRead } = await open(t);
		const reading = gate();
		replaceRead(async box => {
			if (box === "slow") await reading.through();
			return current(box);
		});
		for (const box of ["slow", "left", "next"]) change(box);
		const [busy, leaving] = [await client(), await client()];
		const slow = busy.subscribe("slow");
		await reading.hasBegun();
		const left = [leaving.subscribe("left"), leaving.unsubscribe("left"), leaving.subscribe("left"), leaving.unsubscribe("left")];
		const next = leaving.subscribe("next");
		// All have arrived when an event sent after them is answered.
		await leaving.socket.timeout(WAIT_MS).emitWithAck("nothing");
		reading.open();
		assert.deepEqual(await Promise.all(left), [UNSUBSCRIBED, { ok: true }, UNSUBSCRIBED, { ok: true }]);
		assert.deepEqual(await Promise.all([slow, next]), [snapshot("slow", 1), snapshot("next", 1)]);
		assert.equal(reads(), 2);
	});

	it("is refused while 20 requests of the connection wait, and while its quota has fewer frames than the last snapshot counts as", async t => {
		const taken: number[] = [];
		let isOver = false;
		const takeForAnswer = (frames: number) => {
			if (frames > 0) taken.push(frames);
			return frames === 0 || !isOver;
		};
		const { client, change, current, replaceRead, reads } = await open(t, { takeForAnswer });
		change("a");
		const reading = gate();
		replaceRead(async box => {
			await reading.through();
			return { ...current(box), things: Array<number>(3_000).fill(1_000_000) };
		});
		const { subscribe } = await client();
		const waiting = Array.from({ length: 20 }, () => subscribe("a"));
		assert.deepEqual(await subscribe("a"), TOO_MANY_REQUESTS);
		reading.open();
		for (const answer of await Promise.all(waiting)) assert.equal((answer as { ok: boolean }).ok, true);
		// 3,000 numbers of 7 digits with their commas.
		assert.deepEqual(taken, Array<number>(20).fill(24));

		isOver = true;
		assert.equal(((await subscribe("a")) as { ok: boolean }).ok, true);
		const before = reads();
		assert.deepEqual(await subscribe("a"), TOO_MANY_REQUESTS);
		assert.equal(reads(), before);
		isOver = false;
		assert.equal(((await subscribe("a")) as { ok: boolean }).ok, true);
	});

	it("is refused to a client that has not read its last snapshot, and given once it has", async t => {
		const { openStuck, reads } = await openLarge(t);
		const { socket, subscribe, answers, waitingBytes } = await openStuck();
		for (let n = 0; n < 12; n++) subscribe();
		await eventually(() => assert.equal(answers.length, 12), "all requests to be answered");
		assert.ok(waitingBytes() < 1.1 * LARGE_BYTES, `${waitingBytes()} bytes wait for a client that does not read`);
		const given = answers.indexOf("TOO_MANY_REQUESTS");
		assert.ok(given > 0, `answers: ${answers}`);
		assert.deepEqual(answers, [...Array(given).fill("ok"), ...Array(12 - given).fill("TOO_MANY_REQUESTS")]);
		assert.equal(reads(), given, "a snapshot was read for a refused request");
		socket.resume();
		await eventually(() => assert.equal(waitingBytes(), 0), "the client to have read");
		subscribe();
		await eventually(() => assert.deepEqual(answers.slice(12), ["ok"]), "the next snapshot");
	});

	it("ends with the connection of a client that has read nothing for 30 s, though it sends pongs", async t => {
		const { openStuck, client, service } = await openLarge(t);
		const { socket: reader } = await client();
		const { pong, subscribe } = await openStuck();
		assert.equal(service.connections(), 2);
		const { now } = performance;
		let passedMs = 0;
		t.mock.method(performance, "now", () => now.call(performance) + passedMs);
		await eventually(() => {
			passedMs += 10_000;
			pong();
			// The kernel takes some megabytes before anything waits here.
			subscribe();
			assert.equal(service.connections(), 1);
		}, "the client to be closed");
		assert.ok(reader.connected);
	});

	it("gives each of many clients the right state while changes arrive late and clients subscribe again and leave", async t => {
		const seed = 7;
		const { chance, between, pick } = randomFrom(seed);
		const { client, change, publish, current, replaceRead } = await open(t);
		replaceRead(async box => {
			const read = current(box);
			await delay(between(0, 3));
			return read;
		});
		/** A client that keeps the box as it knows it, and fails when a version is missing. */
		const watch = async () => {
			let known: Box | undefined;
			const gaps: string[] = [];
			const onEvent = (event: string, payload: unknown) => {
				const { version } = payload as Changed;
				if (event !== "box:changed" || !known) return;
				if (version !== known.version + 1) gaps.push(`${version} after ${known.version}`);
				known = { ...known, version, things: [...known.things, version] };
			};
			const one = await client({ onEvent, transports: [pick(["websocket", "polling"] as const)] });
			const subscribe = () => {
				const answered = new Promise<void>(resolve =>
					one.socket.emit("subscribe:boxes", { box: "a" }, ({ boxes: read }: { boxes?: Box }) => {
						if (read) known = read;
						resolve();
					})
				);
				return within(answered, WAIT_MS, () => `the acknowledgement of subscribe:boxes (seed ${seed})`);
			};
			const unsubscribe = async () => {
				await one.unsubscribe("a");
				known = undefined;
			};
			return { subscribe, unsubscribe, gaps, known: () => known };
		};
		change("a");
		const watchers = await Promise.all(Array.from({ length: 20 }, watch));
		const late: Changed[] = [];
		const work: Promise<void>[] = [];
		for (let n = 0; n < 200; n++) {
			late.push(change("a"));
			while (late.length > 0 && chance(0.6)) await publish(late.shift()!);
			const { subscribe, unsubscribe, known } = pick(watchers);
			if (known() && chance(0.2)) work.push(unsubscribe());
			else if (chance(0.5)) work.push(subscribe());
			if (chance(0.2)) await delay(1);
		}
		await Promise.all(work);
		for (const [n, { subscribe, known }] of watchers.entries())
			await eventually(async () => {
				if (!known()) await subscribe();
				assert.ok(known());
			}, `watcher ${n} to subscribe (seed ${seed})`);
		for (const message of late) await publish(message);
		for (const [n, { known, gaps }] of watchers.entries()) {
			await eventually(() => assert.deepEqual(known(), current("a")), `watcher ${n} to have the box (seed ${seed})`);
			assert.deepEqual(gaps, [], `watcher ${n}, seed ${seed}`);
		}
	});
});
