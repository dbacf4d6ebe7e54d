// Socket.IO's side of a topic: which clients hear of a message, and as which events. What they are is said by the topics' contracts.
import type { Live, TopicContract } from "../../../contract/topic.ts";
import type { Caller } from "../../define-service.ts";
import type { Presence } from "../presence/presence.ts";
import type { Delivery } from "../socket.contract.ts";
import { userRoom } from "../ws/hub.ts";
import { inSequence } from "./reorder-buffer.ts";

/** Socket.IO's rooms, beside that of each user. */
export const EVERYBODY = "everybody";
export const DASHBOARD = "admin:dashboard";
const ALERT = "admin:alert";

/** The same for presence, where those who hear frames on /ws have rooms of their own. */
const PREFIX = "live:";
const placeOf = (room: string) => `${PREFIX}${room}`;
export const isLive = (place: string) => place.startsWith(PREFIX);

/** What `subscribe:<name>` may name. */
export const subscriptionsOf = (topics: Record<string, TopicContract>) =>
	new Set(Object.values(topics).flatMap(({ live }) => (live ? [live.subscription] : [])));

/** The places that a message goes to. Asks where it does not say whose it is; one of nobody's goes to the admins alone. Rejects when that cannot be told now. */
export async function placesOf({ live }: TopicContract, message: unknown, caller: Caller): Promise<string[]> {
	if (!live) return [];
	const user = live.user && (live.user.id(message) ?? (await ask(live.user.ask, message, caller)));
	// To the dashboard also what it has no event for: what comes after it would wait for it.
	return [...(live.all ? [EVERYBODY] : []), ...(user === undefined ? [] : [userRoom(user)]), DASHBOARD].map(placeOf);
}

async function ask(about: NonNullable<Live<unknown>["user"]>["ask"], message: unknown, caller: Caller) {
	if (!about) return undefined;
	try {
		return about.id((await caller.call(about.action as never, about.params(message) as never)) as never);
	} catch (error) {
		if ((error as { code?: number }).code === 404) return undefined;
		throw error;
	}
}

type Event = [name: string, payload: unknown];

function eventsOf({ all, user, admins, alert }: Live<unknown>, room: string, message: unknown): Event[] {
	const named = (name: string | undefined): Event[] => (name === undefined ? [] : [[name, message]]);
	if (room === EVERYBODY) return named(all);
	if (room !== DASHBOARD) return named(user?.event);
	const warning = alert?.(message);
	return [...named(admins), ...(warning === undefined ? [] : [[ALERT, warning] satisfies Event])];
}

export interface LiveRooms {
	/** A client is in the room now. Resolves once a message for it finds this node. */
	join(room: string): Promise<void>;
	leave(room: string): void;
	/** For presence. */
	places(): Iterable<string>;
	/** Emits what a message is to the clients of one room of this node: each change once, and in order. */
	deliver(delivery: Delivery): void;
}

export function liveRooms(
	topics: Record<string, TopicContract>,
	presence: Pick<Presence, "join" | "leave">,
	emit: (room: string, event: string, payload: unknown) => void
): LiveRooms {
	const rooms = new Map<string, { clients: number; sinceMs: number }>();
	const pass = inSequence<{ room: string; events: Event[] }>(({ room, events }) => {
		for (const [name, payload] of events) emit(room, name, payload);
	});

	return {
		async join(room) {
			const here = rooms.get(room) ?? { clients: 0, sinceMs: performance.now() };
			here.clients++;
			rooms.set(room, here);
			await presence.join(placeOf(room));
		},

		leave(room) {
			const here = rooms.get(room);
			if (!here || --here.clients > 0) return;
			rooms.delete(room);
			presence.leave(placeOf(room));
		},

		places: () => [...rooms.keys()].map(placeOf),

		deliver({ topic, room: place, message, headers }) {
			const room = place.slice(PREFIX.length);
			const [here, live] = [rooms.get(room), topics[topic]?.live];
			if (!here || !live) return;
			const events = eventsOf(live, room, message);
			const change = live.change(message, headers);
			// A room that was empty meanwhile is another one: what was told then was told to nobody here, and is not waited for.
			if (change)
				pass({ ...change, key: `${room} ${here.sinceMs} ${change.key}` }, { room, events }, performance.now() - here.sinceMs);
			else for (const [name, payload] of events) emit(room, name, payload);
		}
	};
}
