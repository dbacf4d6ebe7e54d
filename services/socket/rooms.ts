// The one registry of rooms: which connections of this node, on /ws and on Socket.IO, are in which room.
import type { Latest } from "../../contract/topic.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";

/** A frame for the /ws clients of a room, with its JSON text once it is written: a thousand sockets share one text. */
export interface RoomFrame {
	room: string;
	code: string;
	data: unknown;
	text?: string;
}

/** A connection in a room. A Socket.IO connection has neither method: Socket.IO itself sends an event to all clients of a room. */
export interface Member {
	/** Sends a frame, unless it is of latest values and carries nothing new. */
	push?(frame: RoomFrame, latest?: Latest<never>, headers?: Headers): void;
	/** It has left the room: what waits to be sent from there is dropped. */
	drop?(room: string): void;
}

/** All Socket.IO clients. */
export const EVERYONE = "everyone";
/** The admins who watch the dashboard on Socket.IO. */
export const ADMINS = "admin:dashboard";
const USER_PREFIX = "user:";
export const userRoom = (user: string) => `${USER_PREFIX}${user}`;
/** The sockets that watch a list. */
export const watchersRoom = (list: string) => `list:${list}`;

export interface Rooms {
	/** Resolves once messages for the room reach this node. Rejects as `reading` does; the member is then not in the room. */
	enter(room: string, member: Member): Promise<void>;
	leave(room: string, member: Member): void;
	has(room: string, member: Member): boolean;
	members(room: string): ReadonlySet<Member>;
	/** Since when the room has had members here, in ms of `performance.now()`; undefined: it has none. */
	openedAtMs(room: string): number | undefined;
	/** Whether any user has members here. */
	hasUsers(): boolean;
	/** Calls the listener when the last member has left a room. */
	onEmpty(listener: (room: string) => void): void;
}

interface Room {
	/** Most rooms are of one user with one screen: that one is kept without a set. */
	members: Member | Set<Member>;
	readonly openedAtMs: number;
}

const noMembers: ReadonlySet<Member> = new Set();

/** `reading`: resolves once this node reads the topics' messages; undefined: it does. */
export function createRooms(reading: () => Promise<void> | undefined = () => undefined): Rooms {
	const rooms = new Map<string, Room>();
	const listeners: ((room: string) => void)[] = [];

	const add = (name: string, member: Member) => {
		const room = rooms.get(name);
		if (room === undefined) rooms.set(name, { members: member, openedAtMs: performance.now() });
		else if (room.members instanceof Set) room.members.add(member);
		else if (room.members !== member) room.members = new Set([room.members, member]);
	};

	/** False if it was not in the room. */
	const remove = (name: string, member: Member) => {
		const room = rooms.get(name);
		if (room === undefined) return false;
		if (room.members instanceof Set) {
			if (!room.members.delete(member)) return false;
			if (room.members.size === 0) rooms.delete(name);
			return true;
		}
		return room.members === member && rooms.delete(name);
	};

	const members = (name: string): ReadonlySet<Member> => {
		const found = rooms.get(name)?.members;
		if (found === undefined) return noMembers;
		return found instanceof Set ? found : new Set([found]);
	};

	const leave = (room: string, member: Member) => {
		if (!remove(room, member)) return;
		member.drop?.(room);
		if (rooms.has(room)) return;
		for (const listener of listeners) listener(room);
	};

	return {
		async enter(room, member) {
			add(room, member);
			try {
				await reading();
			} catch (error) {
				leave(room, member);
				throw error;
			}
		},

		leave,
		has: (room, member) => members(room).has(member),
		members,
		openedAtMs: room => rooms.get(room)?.openedAtMs,
		hasUsers() {
			for (const room of rooms.keys()) if (room.startsWith(USER_PREFIX)) return true;
			return false;
		},
		onEmpty: listener => void listeners.push(listener)
	};
}
