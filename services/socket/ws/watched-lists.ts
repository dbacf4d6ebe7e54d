// The lists that sockets of this node watch: read once, moved by what topics tell, shown ten times a second at most.
import type { Feed, TopicContract } from "../../../contract/topic.ts";
import type { Client, Prepared } from "./client.ts";

const EVERY_MS = 100;

/** The feeds that topics move, by name. */
export const feedsOf = (topics: Record<string, TopicContract>) =>
	new Map(Object.values(topics).flatMap(({ feed }) => (feed ? [[feed.name, feed as Feed<unknown>] as const] : [])));

export interface Watched {
	/** A message that moves the list. */
	move(message: unknown): void;
	/** Shows a socket the list as it was read just now, and keeps it for what comes. */
	show(snapshot: unknown, client: Client): void;
	/** Nobody watches any more. */
	forget(): void;
}

export function watchedFeed(room: string, { code, apply, latest }: Feed<unknown>, watchers: () => Iterable<Client>): Watched {
	let list: unknown;
	/** What was told while the first list was still being read. */
	let early: unknown[] = [];
	let timer: NodeJS.Timeout | undefined;
	let shownAtMs = Number.NEGATIVE_INFINITY;

	const showAll = () => {
		timer = undefined;
		shownAtMs = performance.now();
		const frame: Prepared = { room, code, data: list };
		for (const client of watchers()) client.push(frame, latest as never);
	};

	const showSoon = () => {
		if (timer) return;
		const waitMs = shownAtMs + EVERY_MS - performance.now();
		if (waitMs <= 0) showAll();
		else timer = setTimeout(showAll, waitMs);
	};

	return {
		move(message) {
			if (list === undefined) early.push(message);
			else {
				list = apply(list, message as never);
				showSoon();
			}
		},

		show(snapshot, client) {
			const known = new Map((list === undefined ? [] : latest.shows(list, {})).map(({ key, version }) => [key, version]));
			// What has been told meanwhile must not be taken back by a list that was read before.
			const raised = latest.raise ? latest.raise(snapshot, key => known.get(key) ?? 0) : snapshot;
			list = early.reduce((soFar, message) => apply(soFar, message as never), raised);
			early = [];
			client.push({ room, code, data: list }, { ...latest, always: true } as never);
		},

		forget() {
			clearTimeout(timer);
			timer = undefined;
			list = undefined;
			early = [];
		}
	};
}
