// The rooms of a Socket.IO client: it enters its own when it connects, the dashboard when an admin subscribes to it, and those with a snapshot.
import type { TopicContract } from "../../../contract/topic.ts";
import { ADMINS, EVERYONE, type Member, type Rooms, userRoom } from "../rooms.ts";
import { type Acknowledge, acknowledgeOf, refusal, refusalOf } from "./acknowledge.ts";
import type { Socket } from "./auth.ts";
import type { ClientSubscriptions } from "./client-subscriptions.ts";
import type { DeclaredRooms } from "./declared-rooms.ts";
import type { Connection } from "./engine.ts";

/** The first argument of an event that is not its acknowledgement. */
const dataOf = ([first]: unknown[]): unknown => (typeof first === "function" ? undefined : first);

const guestNote = (name: string) => `guests receive no events of ${name}: sign in`;

/** The names that clients may send as `subscribe:<name>`. `isPersonal`: it has events for single users, which guests never get. */
export type Subscriptions = ReadonlyMap<string, { isPersonal: boolean }>;

const isPersonal = ({ deliveries = [] }: TopicContract) => deliveries.some(({ to }) => typeof to === "object" && "user" in to);

export function subscriptionsOf(topics: Record<string, TopicContract>): Subscriptions {
	const names = new Map<string, { isPersonal: boolean }>();
	for (const topic of Object.values(topics)) {
		if (topic.subscription === undefined) continue;
		const known = names.get(topic.subscription)?.isPersonal ?? false;
		names.set(topic.subscription, { isPersonal: known || isPersonal(topic) });
	}
	return names;
}

/** `names` are only acknowledged: clients get their events without them. Clients subscribe to `declared` and unsubscribe. */
export function subscriptions(names: Subscriptions, declared: ReadonlyMap<string, DeclaredRooms>) {
	const events = new Set([
		...[...names.keys(), ...declared.keys(), "admin"].map(name => `subscribe:${name}`),
		...[...declared.keys()].map(name => `unsubscribe:${name}`)
	]);
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
		if (socket.data.identity?.role !== "admin") return acknowledge(refusal("FORBIDDEN"));
		try {
			await enter(socket, ADMINS, rooms);
			acknowledge({ ok: true });
		} catch (error) {
			acknowledge(refusalOf(error));
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

		/** Acknowledges every event, and subscribes: admins to the dashboard, the client to rooms with a snapshot (`own`). */
		listen(socket: Socket, rooms: Rooms, own: ClientSubscriptions) {
			const isGuest = socket.data.identity === undefined;
			for (const [name, { isPersonal }] of names)
				socket.on(`subscribe:${name}`, (...values) =>
					acknowledgeOf(values)(isGuest && isPersonal ? { ok: true, note: guestNote(name) } : { ok: true })
				);
			for (const [name, one] of declared) {
				socket.on(`subscribe:${name}`, (...values) => void own.subscribe(one, dataOf(values), acknowledgeOf(values)));
				socket.on(`unsubscribe:${name}`, (...values) => own.unsubscribe(one, dataOf(values), acknowledgeOf(values)));
			}
			socket.once("disconnect", () => own.end());
			socket.on("subscribe:admin", (...values) => void subscribeAdmin(socket, rooms, acknowledgeOf(values)));
			socket.onAny((event, ...values) => {
				if (!events.has(event)) acknowledgeOf(values)(refusal("UNKNOWN_EVENT"));
			});
		}
	};
}
