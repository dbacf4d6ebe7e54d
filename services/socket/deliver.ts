// From a topic's message to the clients: which rooms it goes to, and what the connections of this node get. The topics' contracts declare both.
import type { Delivery, Lookup, TopicContract } from "../../contract/topic.ts";
import { isUnavailable } from "../../mixins/errors.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import type { Caller, Received } from "../define-service.ts";
import { reorderBuffer } from "./reorder-buffer.ts";
import { ADMINS, EVERYONE, type RoomFrame, type Rooms, userRoom, watchersRoom } from "./rooms.ts";
import type { WatchedLists } from "./ws/watched-lists.ts";

/** One message of a topic for the connections in one room of this node. */
export interface RoomMessage {
	topic: string;
	room: string;
	/** Those of the topic's deliveries that go to the room. */
	deliveries: Delivery<unknown>[];
	message: unknown;
	headers: Headers;
	requestID: string;
}

type Recipients = Delivery<unknown>["to"];

/** Undefined: the message names no user. */
function roomIn(to: Recipients, message: unknown): string | undefined {
	if (to === "everyone") return EVERYONE;
	if (to === "admins") return ADMINS;
	if ("watchersOf" in to) return watchersRoom(to.watchersOf.name);
	if ("subscribersOf" in to) return to.subscribersOf.room(message);
	if ("room" in to) return to.room(message);
	const user = to.user(message);
	return user === undefined ? undefined : userRoom(user);
}

/** Undefined if the action answers 404. Rejects with its other errors, so that the message is retried. */
async function lookUp({ action, params, id }: Lookup<unknown>, message: unknown, caller: Caller) {
	try {
		return userRoom(id(await caller.call(action as never, params(message) as never)));
	} catch (error) {
		// Moleculer's error for a service that no node runs has code 404 too.
		if (!isUnavailable(error) && (error as { code?: number }).code === 404) return undefined;
		throw error;
	}
}

/**
 * The rooms of this node that a topic's messages go to. A message without a known user goes only to its other rooms. A user is looked up only if this
 * node has a room of any user. Rejects when a lookup is unavailable.
 */
export async function roomMessagesOf(
	topic: string,
	{ deliveries = [] }: TopicContract,
	received: Received<unknown>[],
	{ openedAtMs, hasUsers }: Pick<Rooms, "openedAtMs" | "hasUsers">
): Promise<RoomMessage[]> {
	const perMessage = received.map(async ({ message, ctx, requestID, record: { headers } }) => {
		const rooms = new Map<string, RoomMessage>();
		for (const delivery of deliveries as readonly Delivery<unknown>[]) {
			const { to } = delivery;
			let room = roomIn(to, message);
			if (room === undefined && typeof to === "object" && "lookup" in to && to.lookup && hasUsers())
				room = await lookUp(to.lookup, message, ctx);
			if (room === undefined || openedAtMs(room) === undefined) continue;
			const known = rooms.get(room);
			if (known) known.deliveries.push(delivery);
			else rooms.set(room, { topic, room, deliveries: [delivery], message, headers, requestID });
		}
		return [...rooms.values()];
	});
	return (await Promise.all(perMessage)).flat();
}

const versionIn = (to: Recipients, message: unknown) =>
	typeof to === "object" && "subscribersOf" in to ? to.subscribersOf.versionOf(message) : undefined;

/** A message for one room, with all deliveries that send it as a plain message: they are sent together. */
interface PlainMessage {
	room: string;
	message: unknown;
	deliveries: Delivery<unknown>[];
}

export interface LocalDeliveryOptions {
	topics: Record<string, TopicContract>;
	rooms: Rooms;
	lists: WatchedLists;
	/** Sends an event to the Socket.IO clients of a room of this node. `version`: the message's, in a room with a snapshot. */
	emit: (room: string, event: string, payload: unknown, version?: number) => void;
}

/** Sends a message to this node's connections in its room, as the topic's contract says; plain messages once, and in the order of the changes. */
export function localDelivery({ topics, rooms, lists, emit }: LocalDeliveryOptions) {
	const sendPlain = ({ room, message, deliveries }: PlainMessage) => {
		for (const { to, frame, event, orderOnly, payload } of deliveries) {
			const data = payload ? payload(message) : message;
			if (orderOnly || data === undefined) continue;
			if (frame !== undefined) {
				const shared: RoomFrame = { room, code: frame, data };
				for (const member of rooms.members(room)) member.push?.(shared);
			}
			if (event !== undefined) emit(room, event, data, versionIn(to, message));
		}
	};
	const sendInOrder = reorderBuffer<PlainMessage>(sendPlain);

	return ({ topic, room, deliveries, message, headers }: Omit<RoomMessage, "requestID">) => {
		const contract = topics[topic];
		const openedAtMs = rooms.openedAtMs(room);
		if (!contract || openedAtMs === undefined) return;
		const plain: Delivery<unknown>[] = [];
		for (const delivery of deliveries) {
			const { to, frame, latest } = delivery;
			if (typeof to === "object" && "watchersOf" in to) lists.update(to.watchersOf, message);
			else if (latest) {
				const shared: RoomFrame = { room, code: frame, data: message };
				for (const member of rooms.members(room)) member.push?.(shared, latest as never, headers);
			} else plain.push(delivery);
		}
		if (plain.length === 0) return;
		const change = contract.change?.(message, headers);
		const item = { room, message, deliveries: plain };
		if (!change) return sendPlain(item);
		// A room that has been empty in between gets a numbering of its own: changes from before it opened did not reach this node and are not waited for.
		const key = `${room} ${openedAtMs} ${change.key}`;
		sendInOrder({ ...change, key }, item, performance.now() - openedAtMs);
	};
}
