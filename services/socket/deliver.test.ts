import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Errors } from "moleculer";
import { z } from "zod";
import { action } from "../../contract/action.ts";
import {
	type Delivery,
	lookup,
	numberIn,
	roomSubscription,
	type TopicContract,
	topic,
	watchedList
} from "../../contract/topic.ts";
import { notFound, unavailable } from "../../mixins/errors.ts";
import type { Received } from "../define-service.ts";
import { localDelivery, roomMessagesOf } from "./deliver.ts";
import { ADMINS, createRooms, EVERYONE, type Member, userRoom, watchersRoom } from "./rooms.ts";
import { watchedLists } from "./ws/watched-lists.ts";

const actions = {
	"seats.buyer": action({ params: z.strictObject({ seat: z.string() }), result: z.strictObject({ buyer: z.string() }) }),
	"seats.list": action({ params: z.strictObject({}), result: z.array(z.string()) })
};
const Seat = z.object({ show: z.string(), seat: z.string(), buyer: z.string().optional() });
type Seat = z.output<typeof Seat>;

const seatList = watchedList("seats", actions, "seats.list", {
	apply: (list, { seat }: Seat) => [...list, seat],
	latest: { versions: list => [{ key: "seats", version: list.length }] }
});

const seats = topic({
	message: Seat,
	key: ({ show }) => show,
	change: ({ show }, { version }) => {
		const seq = numberIn(version);
		return seq === undefined ? undefined : { key: show, seq, afterMs: 0 };
	},
	deliveries: [
		{ to: { room: ({ show }) => `show:${show}` }, frame: "Seats", event: "seats:updated" },
		{
			to: {
				user: ({ buyer }) => buyer,
				lookup: lookup(actions, "seats.buyer", { params: ({ seat }: Seat) => ({ seat }), id: ({ buyer }) => buyer })
			},
			event: "seat:yours"
		},
		{ to: "everyone", event: "seats:count" },
		{ to: "admins", event: "admin:seats" },
		{ to: "admins", event: "admin:alert", payload: ({ seat }) => (seat === "A1" ? { text: "front row" } : undefined) },
		{ to: { watchersOf: seatList }, frame: "SeatList" },
		{ to: "admins", orderOnly: true }
	]
});
const topics = { seats: seats as unknown as TopicContract };
const all = topics.seats.deliveries as readonly Delivery<unknown>[];
/** Deliveries → their indexes in the contract. */
const indexesOf = (some: Delivery<unknown>[]) => some.map(delivery => all.indexOf(delivery));

const received = (message: Seat, call = async (): Promise<unknown> => ({ buyer: "looked-up" })) =>
	({ message, ctx: { call }, record: { headers: {} } }) as unknown as Received<unknown>;
const everyRoom = { openedAtMs: () => 0, hasUsers: () => true };
const roomsOf = async (...messages: Received<unknown>[]) =>
	(await roomMessagesOf("seats", topics.seats, messages, everyRoom)).map(({ room, deliveries }) => [room, indexesOf(deliveries)]);

describe("the rooms of a message", () => {
	it("are those of each recipient, once with all deliveries to it", async () => {
		assert.deepEqual(await roomsOf(received({ show: "s", seat: "A1", buyer: "ann" })), [
			["show:s", [0]],
			[userRoom("ann"), [1]],
			[EVERYONE, [2]],
			[ADMINS, [3, 4, 6]],
			[watchersRoom("seats"), [5]]
		]);
	});

	it("have the user that an action looks up where the message names none, and no user where the action answers 404", async () => {
		const [found] = (await roomsOf(received({ show: "s", seat: "A1" }))).slice(1);
		assert.deepEqual(found, [userRoom("looked-up"), [1]]);
		const unknown = received({ show: "s", seat: "A1" }, () => Promise.reject(notFound("no such seat")));
		assert.deepEqual(
			(await roomsOf(unknown)).map(([room]) => room),
			["show:s", EVERYONE, ADMINS, watchersRoom("seats")]
		);
	});

	it("are those with members on this node: where no user has any, none is looked up", async () => {
		const rooms = createRooms();
		await rooms.enter(ADMINS, {});
		const lookUp = () => Promise.reject(new Error("no user is here"));
		const [message, ...others] = await roomMessagesOf(
			"seats",
			topics.seats,
			[received({ show: "s", seat: "A1" }, lookUp)],
			rooms
		);
		assert.deepEqual([message!.room, indexesOf(message!.deliveries), others], [ADMINS, [3, 4, 6], []]);
		await rooms.enter(userRoom("looked-up"), {});
		const found = await roomMessagesOf("seats", topics.seats, [received({ show: "s", seat: "A1" })], rooms);
		assert.deepEqual(
			found.map(({ room }) => room),
			[userRoom("looked-up"), ADMINS]
		);
	});

	it("are unknown while the lookup is unavailable, so that the message is retried", async () => {
		const noService = new Errors.ServiceNotFoundError({ action: "seats.buyer" });
		for (const error of [unavailable("seats"), noService])
			await assert.rejects(roomsOf(received({ show: "s", seat: "A1" }, () => Promise.reject(error))));
	});
});

describe("delivery on one node", () => {
	const setUp = () => {
		const rooms = createRooms();
		const lists = watchedLists(topics, rooms);
		const sent: [string, unknown][] = [];
		const deliver = localDelivery({
			topics,
			rooms,
			lists,
			emit: (room, event, payload) => sent.push([`${room} ${event}`, payload])
		});
		const client = (): Member & { frames: [string, unknown][] } => {
			const frames: [string, unknown][] = [];
			return { frames, push: ({ code, data }) => frames.push([code, data]) };
		};
		const send = (room: string, indexes: number[], seat: string, version?: number) =>
			deliver({
				topic: "seats",
				room,
				deliveries: indexes.map(index => all[index]!),
				message: { show: "s", seat },
				headers: version === undefined ? {} : { version: String(version) }
			});
		return { rooms, lists, sent, client, send };
	};

	it("sends a room's frame to its /ws members and its event to its Socket.IO clients, and nothing for an empty room", async () => {
		const { rooms, sent, client, send } = setUp();
		const [inside, outside] = [client(), client()];
		send("show:s", [0], "A1");
		assert.deepEqual(sent, []);
		await rooms.enter("show:s", inside);
		await rooms.enter("show:other", outside);
		// A Socket.IO connection has no method of its own.
		await rooms.enter("show:s", {});
		send("show:s", [0], "A2");
		const message = { show: "s", seat: "A2" };
		assert.deepEqual([inside.frames, outside.frames, sent], [[["Seats", message]], [], [["show:s seats:updated", message]]]);
	});

	it("sends the deliveries of one change together, once and in the order of the changes", async () => {
		const { rooms, sent, send } = setUp();
		await rooms.enter(ADMINS, {});
		send(ADMINS, [3, 4], "A1", 1);
		send(ADMINS, [3, 4], "A3", 3);
		send(ADMINS, [3, 4], "A2", 2);
		send(ADMINS, [3, 4], "A2", 2);
		assert.deepEqual(
			sent.map(([name, payload]) => [name, (payload as Partial<Seat>).seat]),
			[
				[`${ADMINS} admin:seats`, "A1"],
				[`${ADMINS} admin:alert`, undefined],
				[`${ADMINS} admin:seats`, "A2"],
				[`${ADMINS} admin:seats`, "A3"]
			]
		);
	});

	it("sends nothing for a delivery that only takes its number, and does not make later changes wait", async () => {
		const { rooms, sent, send } = setUp();
		await rooms.enter(ADMINS, {});
		for (const [indexes, seat] of [
			[[6], "B1"],
			[[3], "B2"]
		] as const)
			send(ADMINS, [...indexes], seat, seat === "B1" ? 1 : 2);
		assert.deepEqual(sent, [[`${ADMINS} admin:seats`, { show: "s", seat: "B2" }]]);
	});

	it("refuses two topics that declare one list with different frames", () => {
		const other = topic({
			message: Seat,
			key: ({ show }) => show,
			deliveries: [{ to: { watchersOf: seatList }, frame: "Other" }]
		});
		const rooms = createRooms();
		assert.throws(() => watchedLists({ ...topics, other: other as unknown as TopicContract }, rooms), /"seats"/);
	});

	it("sends a record without a number at once", async () => {
		const { rooms, sent, send } = setUp();
		await rooms.enter(EVERYONE, {});
		send(EVERYONE, [2], "A1");
		send(EVERYONE, [2], "A1");
		assert.equal(sent.length, 2);
	});

	it("sends the watchers of a list the list as each message changes it", async () => {
		const { rooms, lists, client, send } = setUp();
		const watcher = client();
		await rooms.enter(watchersRoom("seats"), watcher);
		lists.send("seats", ["A1"], watcher);
		send(watchersRoom("seats"), [5], "A2");
		assert.deepEqual(watcher.frames, [
			["SeatList", ["A1"]],
			["SeatList", ["A1", "A2"]]
		]);
		rooms.leave(watchersRoom("seats"), watcher);
		assert.equal(rooms.members(watchersRoom("seats")).size, 0);
	});
});

describe("the events of a room with a snapshot", () => {
	const actions = {
		"shows.map": action({ params: z.strictObject({ id: z.string() }), result: z.strictObject({ version: z.number() }) })
	};
	const map = roomSubscription("map", actions, "shows.map", {
		data: z.strictObject({ show: z.string() }),
		params: ({ show }) => ({ id: show }),
		room: ({ show }: { show: string }) => `show:${show}`,
		versionOf: ({ version }: { version: number }) => version
	});
	const moved = topic({
		message: z.object({ show: z.string(), version: z.number() }),
		key: ({ show }) => show,
		change: ({ show, version }) => ({ key: show, seq: version }),
		deliveries: [{ to: { subscribersOf: map }, event: "map:changed" }]
	});
	const topics = { moved: moved as unknown as TopicContract };

	it("have the message's version, and come once and in order from the first one after the room has opened", async () => {
		const rooms = createRooms();
		const sent: unknown[] = [];
		const emit = (...event: unknown[]) => void sent.push(event);
		const deliver = localDelivery({ topics, rooms, lists: watchedLists(topics, rooms), emit });
		const publish = async (show: string, version: number) => {
			const received = { message: { show, version }, ctx: {}, record: { headers: {} } } as unknown as Received<unknown>;
			for (const one of await roomMessagesOf("moved", topics.moved, [received], rooms)) deliver(one);
		};
		const member = {};
		await publish("s", 40);
		await rooms.enter("show:s", member);
		for (const version of [41, 42, 41, 42, 43]) await publish("s", version);
		await publish("other", 1);
		rooms.leave("show:s", member);
		await publish("s", 44);
		await rooms.enter("show:s", member);
		// The room is new, so what may have been sent in the former one is sent again; its subscribers know by their snapshots what they have.
		await publish("s", 43);
		await publish("s", 45);
		assert.deepEqual(
			sent,
			[41, 42, 43, 43, 45].map(version => ["show:s", "map:changed", { show: "s", version }, version])
		);
	});
});
