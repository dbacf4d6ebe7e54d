// The subscribers of rooms with a snapshot: which of a room's events each of them gets, so that none is missing after its snapshot and none is older.
import type { Socket } from "./auth.ts";

export interface RoomEvent {
	name: string;
	payload: unknown;
	version: number;
}

/** One client in one room. */
export interface Subscriber {
	readonly socket: Pick<Socket, "emit" | "join" | "leave">;
	readonly room: string;
	/** It has got the room's state up to this version; undefined before its first snapshot. */
	version: number | undefined;
	/** The events that have arrived since its snapshot was requested; undefined: it waits for none. */
	held: RoomEvent[] | undefined;
}

/**
 * Most subscribers of a room are in Socket.IO's room of the same name, for which an event is serialized once. A subscriber is outside while its snapshot
 * is read, and until the first event with a higher version: events from before the snapshot may reach this node after it.
 */
export function roomSubscribers() {
	const outside = new Map<string, Set<Subscriber>>();

	const removeOutside = (subscriber: Subscriber) => {
		const ofRoom = outside.get(subscriber.room);
		if (ofRoom?.delete(subscriber) && ofRoom.size === 0) outside.delete(subscriber.room);
	};

	return {
		/** From now on holds the room's events for the subscriber. Call it before its snapshot is read. */
		hold(subscriber: Subscriber) {
			const { socket, room } = subscriber;
			socket.leave(room);
			subscriber.held ??= [];
			const ofRoom = outside.get(room) ?? new Set();
			outside.set(room, ofRoom.add(subscriber));
		},

		/** Sends the held events above this version, and from now on every later one. */
		follow(subscriber: Subscriber, version: number) {
			const { socket, held = [] } = subscriber;
			subscriber.held = undefined;
			subscriber.version = version;
			for (const event of held) {
				if (event.version <= version) continue;
				socket.emit(event.name, event.payload);
				subscriber.version = event.version;
			}
		},

		remove(subscriber: Subscriber) {
			removeOutside(subscriber);
			subscriber.held = undefined;
			subscriber.socket.leave(subscriber.room);
		},

		/** Call it before an event is sent to Socket.IO's room: those who wait for the event enter the room. */
		beforeEvent(room: string, event: RoomEvent) {
			for (const subscriber of outside.get(room) ?? []) {
				const { socket, held, version } = subscriber;
				if (held) held.push(event);
				else if (version !== undefined && event.version > version) {
					removeOutside(subscriber);
					socket.join(room);
				}
			}
		}
	};
}

export type RoomSubscribers = ReturnType<typeof roomSubscribers>;
