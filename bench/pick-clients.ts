// Users who pick over HTTP at a fixed rate, and wait on their WebSocket for the frame with the new count.
import { randomUUID } from "node:crypto";
import { openSocketAs, type Socket } from "../test/client.socket.ts";
import { within } from "../test/process.ts";
import { hops } from "./hops.ts";
import { type HttpConnection, openHttp, requestOf } from "./http-load.ts";
import { closedLoop } from "./load.ts";

/** Each user has one WebSocket, and one HTTP connection for its picks. */
export const USERS = 64;
const PATH = "/api/selections/async";
const FRAMES_WITHIN_MS = 30_000;

/** All times as `performance.now()`. */
export interface PlayedPick {
	sentMs: number;
	/** When the 202 arrived. */
	acceptedMs: number;
	/** When the frame with the new count arrived. */
	shownMs: number;
	/** The head of the 202. */
	head: string;
}

interface User {
	id: string;
	socket: Socket;
	/** The last count of each name that this user got. */
	counts: Map<string, number>;
	http?: HttpConnection;
}

export interface PickClients {
	/** Every user picks this name as fast as it is shown, for so long: the servers' code is compiled while it runs. */
	warmUp(ms: number, name: string): Promise<void>;
	/** Picks `perSecond` times a second over all users. Resolves once every pick has its frame; rejects if one is refused or has none in 30 s. */
	play(ms: number, perSecond: number): Promise<PlayedPick[]>;
	close(): void;
}

export async function openPickClients(server: { url: string; wsUrl: string }, names: readonly string[]): Promise<PickClients> {
	const url = new URL(PATH, server.url);
	const run = randomUUID().slice(0, 8);
	const users: User[] = await Promise.all(
		Array.from({ length: USERS }, async (_, n) => {
			const id = `${run}-${n}`;
			return { id, socket: await openSocketAs(server.wsUrl, id), counts: new Map() };
		})
	);
	// A user picks again only after the frame of its last pick: frames do not say to which pick they belong.
	const idle = [...users];
	const waiting: ((user: User) => void)[] = [];
	const release = (user: User) => {
		const next = waiting.shift();
		if (next) next(user);
		else idle.push(user);
	};
	const nextUser = async () => idle.shift() ?? (await new Promise<User>(resolve => waiting.push(resolve)));

	async function pick(name: string): Promise<PlayedPick> {
		const sentMs = performance.now();
		const user = await nextUser();
		const { id: user_id, socket, counts } = user;
		const before = counts.get(name) ?? 0;
		const accepted = user.http!.send(requestOf(url, "POST", JSON.stringify({ name, id: randomUUID(), user_id })));
		// The answer to a fast pick may arrive after its frame.
		const [{ head, acceptedMs }, { count, shownMs }] = await Promise.all([
			accepted.then(head => ({ head, acceptedMs: performance.now() })),
			socket
				.waitFor(
					({ code, data }) => code === "SelectionSummary" && data.name === name && data.count > before,
					`a count of ${name} above ${before}`,
					{ from: socket.frames.length, timeoutMs: FRAMES_WITHIN_MS }
				)
				.then(({ data }) => ({ count: data.count as number, shownMs: performance.now() }))
		]);
		counts.set(name, count);
		socket.frames.length = 0;
		release(user);
		return { sentMs, acceptedMs, shownMs, head };
	}

	/** A server may close idle connections between rounds. */
	async function connected<T>(ms: number, work: () => Promise<T>): Promise<T> {
		for (const user of users) user.http = await openHttp(url, 202);
		try {
			return await within(work(), ms + FRAMES_WITHIN_MS, () => "every pick to have its frame");
		} finally {
			for (const user of users) user.http?.close();
		}
	}

	return {
		async warmUp(ms, name) {
			await connected(ms, () => closedLoop(USERS, ms, () => pick(name)));
		},
		async play(ms, perSecond) {
			const picks: PlayedPick[] = [];
			const hop = async (n: number) => {
				const one = await pick(names[n % names.length]!);
				picks.push(one);
				return one.shownMs - one.sentMs;
			};
			await connected(ms, () => hops(ms, perSecond, hop));
			return picks;
		},
		close() {
			for (const { socket } of users) socket.close();
		}
	};
}
