// The lists that sockets of this node watch: read once, changed by the topics' messages, sent at most ten times a second.
import type { Delivery, TopicContract, WatchedList } from "../../../contract/topic.ts";
import { type Member, type RoomFrame, type Rooms, watchersRoom } from "../rooms.ts";

const SEND_EVERY_MS = 100;

export interface WatchedLists {
	names(): IterableIterator<string>;
	/** The action that answers a whole list. */
	snapshotOf(name: string): string;
	/** Changes a list by a message and sends it to its watchers soon. */
	update(list: WatchedList<unknown>, message: unknown): void;
	/** Sends one watcher the list as it was just read, with the changes since; nothing if it does not watch any more. */
	send(name: string, snapshot: unknown, watcher: Member): void;
}

/** The lists that the topics' contracts declare. Several topics may change one list; throws if they do not agree on its frame and its snapshot. */
export function watchedLists(topics: Record<string, TopicContract>, rooms: Rooms): WatchedLists {
	const lists = new Map<string, LiveList>();
	const declare = (list: WatchedList<unknown>, frame: string) => {
		const known = lists.get(list.name);
		if (!known) lists.set(list.name, liveList(list, frame, rooms));
		else if (known.frame !== frame || known.snapshot !== list.snapshot)
			throw new Error(`two topics declare the watched list "${list.name}" with different frames or snapshots`);
	};
	for (const { deliveries = [] } of Object.values(topics))
		for (const { to, frame } of deliveries as readonly Delivery<unknown>[])
			if (typeof to === "object" && "watchersOf" in to) declare(to.watchersOf, frame as string);
	const byRoom = new Map([...lists].map(([name, list]) => [watchersRoom(name), list]));
	rooms.onEmpty(room => byRoom.get(room)?.forget());

	return {
		names: () => lists.keys(),
		snapshotOf: name => lists.get(name)!.snapshot,
		update: ({ name, apply }, message) => lists.get(name)!.change(list => apply(list, message)),
		send(name, snapshot, watcher) {
			if (rooms.has(watchersRoom(name), watcher)) lists.get(name)!.send(snapshot, watcher);
		}
	};
}

type Change = (list: unknown) => unknown;

interface LiveList {
	frame: string;
	snapshot: string;
	change(apply: Change): void;
	send(snapshot: unknown, watcher: Member): void;
	/** No watcher is left. */
	forget(): void;
}

function liveList({ name, snapshot, latest }: WatchedList<unknown>, frame: string, rooms: Rooms): LiveList {
	const room = watchersRoom(name);
	let list: unknown;
	/** Changes that arrive while the first snapshot is still being read. */
	let early: Change[] = [];
	let timer: NodeJS.Timeout | undefined;
	let sentAtMs = Number.NEGATIVE_INFINITY;

	const sendToAll = () => {
		timer = undefined;
		sentAtMs = performance.now();
		const shared: RoomFrame = { room, code: frame, data: list };
		for (const member of rooms.members(room)) member.push?.(shared, latest as never);
	};

	const sendSoon = () => {
		if (timer) return;
		const waitMs = sentAtMs + SEND_EVERY_MS - performance.now();
		if (waitMs <= 0) sendToAll();
		else timer = setTimeout(sendToAll, waitMs);
	};

	return {
		frame,
		snapshot,

		change(apply) {
			if (list === undefined) early.push(apply);
			else {
				list = apply(list);
				sendSoon();
			}
		},

		send(read, watcher) {
			const known = new Map((list === undefined ? [] : latest.versions(list, {})).map(({ key, version }) => [key, version]));
			// The snapshot may have been read before messages that have changed the list since: their values stay.
			const raised = latest.raise ? latest.raise(read, key => known.get(key) ?? 0) : read;
			list = early.reduce((soFar, apply) => apply(soFar), raised);
			early = [];
			watcher.push?.({ room, code: frame, data: list }, { ...latest, always: true } as never);
		},

		forget() {
			clearTimeout(timer);
			timer = undefined;
			list = undefined;
			early = [];
		}
	};
}
