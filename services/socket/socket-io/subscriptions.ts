// The rooms of a Socket.IO client: it enters its own when it connects, and the dashboard when an admin subscribes to it.
import type { TopicContract } from "../../../contract/topic.ts";
import { ADMINS, EVERYONE, type Member, type Rooms, userRoom } from "../rooms.ts";
import { errorFrame } from "../ws/frames.ts";
import type { Connection, Socket } from "./auth.ts";

type Acknowledge = (answer: { ok: true } | { ok: false; error: { type: string } }) => void;

/** The client's acknowledgement, which is the last argument of its event. */
const acknowledgeOf = (values: unknown[]): Acknowledge => {
	const last = values.at(-1);
	return typeof last === "function" ? (last as Acknowledge) : () => {};
};

/** The names that clients may send in `subscribe:<name>`. */
export const subscriptionsOf = (topics: Record<string, TopicContract>) =>
	new Set(Object.values(topics).flatMap(({ subscription }) => subscription ?? []));

/** `names`: of `subscribe:<name>`, which is only acknowledged: clients get their own events without it. */
export function subscriptions(names: ReadonlySet<string>) {
	const members = new WeakMap<Connection, Member>();
	const memberOf = (connection: Connection) => {
		const member = members.get(connection) ?? {};
		members.set(connection, member);
		return member;
	};

	/** Resolves once the room's events reach the socket, until its connection closes. */
	const enter = async (socket: Socket, room: string, rooms: Rooms) => {
		const { conn } = socket;
		const member = memberOf(conn);
		if (rooms.has(room, member) || conn.readyState !== "open") return;
		conn.once("close", () => rooms.leave(room, member));
		socket.join(room);
		await rooms.enter(room, member);
	};

	const subscribeAdmin = async (socket: Socket, rooms: Rooms, acknowledge: Acknowledge) => {
		if (socket.data.identity?.role !== "admin") return acknowledge({ ok: false, error: { type: "FORBIDDEN" } });
		try {
			await enter(socket, ADMINS, rooms);
			acknowledge({ ok: true });
		} catch (error) {
			acknowledge({ ok: false, error: { type: errorFrame(error).data.type } });
		}
	};

	return {
		/** Before the client is connected, so that it misses no event. If the rooms cannot be entered, the connection is closed and the client reconnects. */
		async enterOwn(socket: Socket, rooms: Rooms) {
			const { conn, data } = socket;
			try {
				await enter(socket, EVERYONE, rooms);
				if (data.identity) await enter(socket, userRoom(data.identity.id), rooms);
			} catch (error) {
				conn.close(true);
				throw error;
			}
		},

		/** Events without a listener do nothing. */
		listen(socket: Socket, rooms: Rooms) {
			for (const name of names) socket.on(`subscribe:${name}`, (...values) => acknowledgeOf(values)({ ok: true }));
			socket.on("subscribe:admin", (...values) => void subscribeAdmin(socket, rooms, acknowledgeOf(values)));
		}
	};
}
