// The rooms of a Socket.IO client: its own, which it is in from the start, and the dashboard, for which it has to ask and be an admin.

import { errorFrame } from "../ws/frames.ts";
import { userRoom } from "../ws/hub.ts";
import type { Connection, Socket } from "./auth.ts";
import { DASHBOARD, EVERYBODY, type LiveRooms } from "./rooms.ts";

type Acknowledge = (answer: { ok: true } | { ok: false; error: { type: string } }) => void;

/** The client's acknowledgement, which stands behind whatever else it has sent. */
const acknowledgeOf = (values: unknown[]): Acknowledge => {
	const last = values.at(-1);
	return typeof last === "function" ? (last as Acknowledge) : () => {};
};

/** `names`: what may be named in `subscribe:<name>`. What is a client's own reaches it without that: it is there to be acknowledged. */
export function subscriptions(names: ReadonlySet<string>) {
	const rooms = new WeakMap<Connection, Set<string>>();

	/** Resolves once what is sent to the room reaches the socket, for as long as its connection lasts. */
	const enter = async (socket: Socket, room: string, live: LiveRooms) => {
		const { conn } = socket;
		const entered = rooms.get(conn) ?? new Set();
		if (entered.has(room) || conn.readyState !== "open") return;
		rooms.set(conn, entered.add(room));
		conn.once("close", () => live.leave(room));
		socket.join(room);
		await live.join(room);
	};

	const subscribeAdmin = async (socket: Socket, live: LiveRooms, acknowledge: Acknowledge) => {
		if (socket.data.identity?.role !== "admin") return acknowledge({ ok: false, error: { type: "FORBIDDEN" } });
		try {
			await enter(socket, DASHBOARD, live);
			acknowledge({ ok: true });
		} catch (error) {
			acknowledge({ ok: false, error: { type: errorFrame(error).data.type } });
		}
	};

	return {
		/** Before the client hears that it is connected: from then on it misses nothing. One that cannot be told is to come again. */
		async enterOwn(socket: Socket, live: LiveRooms) {
			const { conn, data } = socket;
			try {
				await enter(socket, EVERYBODY, live);
				if (data.identity) await enter(socket, userRoom(data.identity.id), live);
			} catch (error) {
				conn.close(true);
				throw error;
			}
		},

		/** Without a listener for its event a packet does nothing. */
		listen(socket: Socket, live: LiveRooms) {
			for (const name of names) socket.on(`subscribe:${name}`, (...values) => acknowledgeOf(values)({ ok: true }));
			socket.on("subscribe:admin", (...values) => void subscribeAdmin(socket, live, acknowledgeOf(values)));
		}
	};
}
