// `subscribe:<name>` and `unsubscribe:<name>` of one Socket.IO connection: the snapshot of a room, and the room's newer events after it.
import { randomUUID } from "node:crypto";
import { Errors } from "moleculer";
import { assertMayCall } from "../../../contract/access.ts";
import { tooMany } from "../../../mixins/errors.ts";
import type { Actions, Caller } from "../../define-service.ts";
import type { Peer } from "../limits/peers.ts";
import type { Member, Rooms } from "../rooms.ts";
import { checked } from "../ws/frames.ts";
import { type Acknowledge, refusal, refusalOf } from "./acknowledge.ts";
import type { Socket } from "./auth.ts";
import type { DeclaredRooms } from "./declared-rooms.ts";
import type { RoomSubscribers, Subscriber } from "./room-subscribers.ts";
import { framesOf, isWriting, written } from "./sent-packets.ts";
import type { ReadSnapshot } from "./snapshot-reads.ts";

export interface ClientSubscriptionsOptions {
	socket: Socket;
	peer: Peer;
	/** The client's address as limits count it. */
	address: string;
	guests: boolean;
	rooms: Rooms;
	caller: Caller;
	/** These two are shared by all connections. */
	subscribers: RoomSubscribers;
	readSnapshot: ReadSnapshot;
}

/** For one connection: rooms, and also requests that wait for their snapshots. */
const MAX_ROOMS = 20;

const tooManySubscriptions = () =>
	new Errors.MoleculerClientError(`At most ${MAX_ROOMS} rooms a connection`, 429, "TOO_MANY_SUBSCRIPTIONS");

/** A room that this connection has subscribed to. A request is known by its acknowledgement. */
interface ClientRoom extends Subscriber {
	/** The requests that wait for a snapshot. */
	readonly requests: Set<Acknowledge>;
	/** The one for which the snapshot is being read. */
	reading: Acknowledge | undefined;
}

export class ClientSubscriptions {
	readonly #options: ClientSubscriptionsOptions;
	readonly #member: Member = {};
	readonly #rooms = new Map<string, ClientRoom>();
	#waiting = 0;
	/** The frames that the last snapshot counts as, if the client's quota had fewer: they are taken before the next snapshot is read. */
	#unpaidFrames = 0;
	/** The kernel did not take the last snapshot in time: until it has, no other is read, or a client that does not read would fill the memory. */
	#isUnread = false;

	constructor(options: ClientSubscriptionsOptions) {
		this.#options = options;
	}

	/** Acknowledges with the snapshot, after which the room's newer events follow; or with a refusal, which leaves an earlier subscription as it is. */
	async subscribe({ subscription, contract }: DeclaredRooms, data: unknown, acknowledge: Acknowledge) {
		const { socket, address, guests, readSnapshot } = this.#options;
		const { name, snapshot: action, versionOf } = subscription;
		try {
			const named = checked(subscription.data, data);
			const params = subscription.params(named);
			assertMayCall(contract, params, socket.data.identity, { guests });
			this.#pay(this.#unpaidFrames);
			if (this.#unpaidFrames > 0) throw tooMany("You have requested too many snapshots", 1_000);
			const room = this.#open(subscription.room(named), acknowledge);
			try {
				const read = () => this.#call(action, params);
				await readSnapshot(
					{ address, room: room.room, subscriber: room, read },
					{
						begin: () => this.#begin(room, acknowledge),
						serve: snapshot => this.#serve(room, acknowledge, { ok: true, [name]: snapshot }, versionOf(snapshot))
					}
				);
			} finally {
				this.#endRequest(room, acknowledge);
			}
		} catch (error) {
			acknowledge(refusalOf(error));
		}
	}

	unsubscribe({ subscription }: DeclaredRooms, data: unknown, acknowledge: Acknowledge) {
		try {
			const room = this.#rooms.get(subscription.room(checked(subscription.data, data)));
			if (room) this.#leave(room);
			acknowledge({ ok: true });
		} catch (error) {
			acknowledge(refusalOf(error));
		}
	}

	/** The connection is closed. */
	end() {
		for (const room of this.#rooms.values()) this.#leave(room);
	}

	#open(name: string, request: Acknowledge): ClientRoom {
		if (this.#waiting >= MAX_ROOMS) throw tooMany("Wait for the snapshots that you have requested", 1_000);
		const { socket } = this.#options;
		const known = this.#rooms.get(name);
		if (!known && this.#rooms.size >= MAX_ROOMS) throw tooManySubscriptions();
		const room = known ?? { socket, room: name, version: undefined, held: undefined, requests: new Set(), reading: undefined };
		this.#rooms.set(name, room);
		room.requests.add(request);
		this.#waiting++;
		return room;
	}

	/** False: the request has been answered, and needs no snapshot. */
	async #begin(room: ClientRoom, request: Acknowledge) {
		if (this.#isLeft(room)) return false;
		const { socket, rooms, subscribers } = this.#options;
		if (this.#isUnread && isWriting(socket.conn)) {
			// Thrown, it would refuse the other clients' requests too.
			request(refusalOf(tooMany("Read the snapshot that you have requested", 1_000)));
			return false;
		}
		room.reading = request;
		subscribers.hold(room);
		await rooms.enter(room.room, this.#member);
		return room.reading === request;
	}

	async #serve(room: ClientRoom, request: Acknowledge, answer: Parameters<Acknowledge>[0], version: number) {
		// The client has unsubscribed, or the request was refused or has timed out.
		if (room.reading !== request) return;
		const { socket, subscribers } = this.#options;
		room.reading = undefined;
		this.#pay(framesOf(socket.conn, () => request(answer)));
		subscribers.follow(room, version);
		this.#isUnread = !(await written(socket.conn));
	}

	#endRequest(room: ClientRoom, request: Acknowledge) {
		this.#waiting--;
		room.requests.delete(request);
		if (room.reading === request) {
			room.reading = undefined;
			if (room.version !== undefined) this.#options.subscribers.follow(room, room.version);
		}
		if (room.requests.size === 0 && room.version === undefined) this.#leave(room);
	}

	#isLeft(room: ClientRoom) {
		return this.#rooms.get(room.room) !== room;
	}

	#leave(room: ClientRoom) {
		if (this.#isLeft(room)) return;
		const { rooms, subscribers } = this.#options;
		this.#rooms.delete(room.room);
		room.reading = undefined;
		subscribers.remove(room);
		rooms.leave(room.room, this.#member);
		for (const request of room.requests) request(refusal("UNSUBSCRIBED"));
	}

	/** Without a caller: those who wait for one room share its snapshot. */
	#call(action: string, params: object) {
		const { address, caller } = this.#options;
		return caller.call(action as keyof Actions, params as never, { requestID: randomUUID(), meta: { address } });
	}

	#pay(frames: number) {
		this.#unpaidFrames = this.#options.peer.takeForAnswer(frames) ? 0 : frames;
	}
}
