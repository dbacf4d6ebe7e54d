// The sockets of this node: which rooms they are in, and what reaches them there.
import type { Feed, Push, TopicContract } from "../../define.ts";
import type { Client, Prepared } from "./client.ts";
import type { Delivery } from "./socket.contract.ts";

/** Where a user's sockets are found; where those that watch a feed are. */
export const userRoom = (user: string) => `user:${user}`;
export const feedRoom = (feed: string) => `feed:${feed}`;

export interface Hub {
	/** True if it is the first of the room here. */
	enter(room: string, client: Client): boolean;
	/** True if the room is empty now. */
	leave(room: string, client: Client): boolean;
	rooms(): IterableIterator<string>;
	clients(room: string): ReadonlySet<Client>;
	deliver(delivery: Delivery): void;
	/** Sends a feed's list to one socket, and from now on what moves it to all that watch. */
	show(feed: string, list: unknown, client: Client): void;
}

type Topics = Record<string, TopicContract>;

const FEED_EVERY_MS = 100;
const nobody: ReadonlySet<Client> = new Set();

/** The feeds that topics move, by name. */
export const feedsOf = (topics: Topics) =>
	new Map(Object.values(topics).flatMap(({ feed }) => (feed ? [[feed.name, feed as Feed<unknown>] as const] : [])));

/** The rooms that a message of a topic goes to. */
export function roomsOf({ push, feed }: TopicContract, message: never): string[] {
	return [...(push ? [userRoom(push.user(message))] : []), ...(feed ? [feedRoom(feed.name)] : [])];
}

export function createHub(topics: Topics): Hub {
	const rooms = new Map<string, Set<Client>>();
	const feeds = feedsOf(topics);
	/** As far as this node knows them; kept while somebody watches. */
	const lists = new Map<string, unknown>();
	const shownAtMs = new Map<string, number>();
	const timers = new Map<string, NodeJS.Timeout>();

	const showAll = (feed: Feed<unknown>) => {
		timers.delete(feed.name);
		shownAtMs.set(feed.name, performance.now());
		const frame: Prepared = { code: feed.code, data: lists.get(feed.name) };
		for (const client of rooms.get(feedRoom(feed.name)) ?? nobody) client.push(frame, feed.latest as never);
	};

	const showSoon = (feed: Feed<unknown>) => {
		if (timers.has(feed.name)) return;
		const waitMs = (shownAtMs.get(feed.name) ?? Number.NEGATIVE_INFINITY) + FEED_EVERY_MS - performance.now();
		if (waitMs <= 0) showAll(feed);
		else timers.set(feed.name, setTimeout(showAll, waitMs, feed));
	};

	const pushTo = ({ code, latest }: Push<unknown>, { room, message, headers }: Delivery) => {
		const frame: Prepared = { code, data: message };
		for (const client of rooms.get(room) ?? nobody) client.push(frame, latest as never, headers);
	};

	return {
		enter(room, client) {
			const here = rooms.get(room) ?? new Set();
			rooms.set(room, here.add(client));
			return here.size === 1;
		},

		leave(room, client) {
			const here = rooms.get(room);
			if (!here?.delete(client) || here.size > 0) return false;
			rooms.delete(room);
			const feed = room.slice(feedRoom("").length);
			if (room === feedRoom(feed)) lists.delete(feed);
			return true;
		},

		rooms: () => rooms.keys(),
		clients: room => rooms.get(room) ?? nobody,

		deliver(delivery) {
			const { push, feed } = topics[delivery.topic] ?? {};
			if (feed && delivery.room === feedRoom(feed.name)) {
				const list = lists.get(feed.name);
				if (list === undefined) return;
				lists.set(feed.name, feed.apply(list, delivery.message as never));
				showSoon(feed as Feed<unknown>);
			} else if (push) pushTo(push as Push<unknown>, delivery);
		},

		show(name, snapshot, client) {
			const feed = feeds.get(name)!;
			const known = new Map(
				(lists.has(name) ? feed.latest.shows(lists.get(name), {}) : []).map(({ key, version }) => [key, version])
			);
			// What was delivered while the snapshot was read must not be taken back by it.
			const list = feed.latest.raise ? feed.latest.raise(snapshot, key => known.get(key) ?? 0) : snapshot;
			lists.set(name, list);
			client.push({ code: feed.code, data: list }, { ...feed.latest, always: true } as never);
		}
	};
}
