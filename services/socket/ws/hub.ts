// The sockets of this node: which rooms they are in, and what reaches them there.
import type { Push, TopicContract } from "../../../contract/topic.ts";
import type { Delivery } from "../socket.contract.ts";
import type { Client, Prepared } from "./client.ts";
import { feedsOf, type Watched, watchedFeed } from "./watched-lists.ts";

/** Where a user's sockets are found; where those that watch a feed are. */
export const userRoom = (user: string) => `user:${user}`;
export const feedRoom = (feed: string) => `feed:${feed}`;

export interface Hub {
	enter(room: string, client: Client): void;
	/** True if the room is empty now. */
	leave(room: string, client: Client): boolean;
	rooms(): IterableIterator<string>;
	clients(room: string): ReadonlySet<Client>;
	deliver(delivery: Delivery): void;
	/** Shows one socket, which is in the feed's room already, the feed's list as it was just read. */
	show(feed: string, list: unknown, client: Client): void;
}

type Topics = Record<string, TopicContract>;

const nobody: ReadonlySet<Client> = new Set();

/** The rooms that a message of a topic goes to. */
export function roomsOf({ push, feed }: TopicContract, message: never): string[] {
	return [...(push ? [userRoom(push.user(message))] : []), ...(feed ? [feedRoom(feed.name)] : [])];
}

export function createHub(topics: Topics): Hub {
	/** Most rooms are of one user with one screen: that one stands for its set. */
	const rooms = new Map<string, Client | Set<Client>>();
	const clients = (room: string): ReadonlySet<Client> => {
		const here = rooms.get(room);
		if (here === undefined) return nobody;
		return here instanceof Set ? here : new Set([here]);
	};
	const feeds = new Map<string, Watched>();
	for (const [name, feed] of feedsOf(topics)) {
		const room = feedRoom(name);
		feeds.set(
			room,
			watchedFeed(room, feed, () => clients(room))
		);
	}

	const pushTo = ({ code, latest }: Push<unknown>, { room, message, headers }: Delivery) => {
		const frame: Prepared = { room, code, data: message };
		for (const client of clients(room)) client.push(frame, latest as never, headers);
	};

	return {
		enter(room, client) {
			const here = rooms.get(room);
			if (here === undefined || here === client) rooms.set(room, client);
			else if (here instanceof Set) here.add(client);
			else rooms.set(room, new Set([here, client]));
		},

		leave(room, client) {
			const here = rooms.get(room);
			if (here instanceof Set ? !here.delete(client) : here !== client) return false;
			client.drop(room);
			if (here instanceof Set && here.size > 0) return false;
			rooms.delete(room);
			feeds.get(room)?.forget();
			return true;
		},

		rooms: () => rooms.keys(),
		clients,

		deliver(delivery) {
			const { room, message } = delivery;
			const watched = feeds.get(room);
			const push = topics[delivery.topic]?.push;
			if (!rooms.has(room)) return;
			if (watched) watched.move(message);
			else if (push) pushTo(push as Push<unknown>, delivery);
		},

		show(name, list, client) {
			if (clients(feedRoom(name)).has(client)) feeds.get(feedRoom(name))!.show(list, client);
		}
	};
}
