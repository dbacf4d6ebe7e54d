// Load generator: clients that pick and buy concurrently, over HTTP and over sockets, and record what was sent and what was acknowledged.
import { setTimeout as delay } from "node:timers/promises";
import { openSocket, type Socket } from "./client.socket.ts";
import { fresh, httpClient } from "./client.ts";
import type { System } from "./system.ts";

interface Pick {
	name: string;
	id: string;
	user_id: string;
}
interface Purchase {
	id: string;
	user_id: string;
	amount: number;
}
export type Entry = { acknowledged: boolean } & ({ kind: "pick"; body: Pick } | { kind: "purchase"; body: Purchase });

export interface LoadOptions {
	/** Number of concurrent clients: every third buys over a socket, the others pick and buy over HTTP. */
	workers: number;
	/** Maximum pause of a client after each answer. Default: no pause. */
	thinkMs?: number;
}

const routes = { pick: { path: "/api/selections/async", status: 202 }, purchase: { path: "/api/purchases", status: 201 } };
const PAUSE_MS = 50;
/** Unanswered purchases on one socket. */
const PURCHASES_PER_BATCH = 4;
export const any = <T>(from: readonly T[]) => from[Math.floor(Math.random() * from.length)] as T;

/** Creates the clients. Each sends its next request when the previous one was answered. */
export function createLoadGenerator(system: System, names: string[], users: string[], { workers, thinkMs = 0 }: LoadOptions) {
	const entries: Entry[] = [];
	/** Unexpected answers: those that an outage does not explain. */
	const unexpectedAnswers: string[] = [];
	let acknowledged = 0;
	let running = false;
	let clients: Promise<void>[] = [];

	const think = async () => {
		if (thinkMs > 0) await delay(Math.random() * thinkMs);
	};
	const acknowledge = (entry: Entry) => {
		if (!entry.acknowledged) acknowledged++;
		entry.acknowledged = true;
	};
	const anyPick = (): Entry => {
		return { kind: "pick", acknowledged: false, body: { name: any(names), id: fresh("pick"), user_id: any(users) } };
	};
	const anyPurchase = (): Entry => {
		const amount = Math.ceil(Math.random() * 10_000) / 100;
		return { kind: "purchase", acknowledged: false, body: { id: fresh("purchase"), user_id: any(users), amount } };
	};

	/** Sends an entry to a random gateway; used for first attempts and for retries. */
	async function post(entry: Entry): Promise<boolean> {
		const { path, status } = routes[entry.kind];
		try {
			const answer = await httpClient(any(system.urls)).post(path, entry.body);
			if (answer.status === status) acknowledge(entry);
			else if (answer.status !== 503) unexpectedAnswers.push(`${answer.status} ${answer.text}`);
			return answer.status === status;
		} catch {
			// The connection was refused or reset, or timed out: the outcome is unknown.
			return false;
		}
	}

	async function overHttp(): Promise<void> {
		while (running) {
			const entry = Math.random() < 0.6 ? anyPick() : anyPurchase();
			entries.push(entry);
			if (!(await post(entry))) await delay(PAUSE_MS);
			await think();
		}
	}

	/** Rejects if the connection is lost. */
	async function buyOver(socket: Socket): Promise<void> {
		const bought = Array.from({ length: PURCHASES_PER_BATCH }, anyPurchase);
		const left = new Map(bought.map(entry => [entry.body.id, entry]));
		entries.push(...bought);
		let isUnavailable = false;
		const answers = socket.waitFor(
			({ code, data }) => {
				if (left.size === 0) return true;
				const entry = left.get(data.id);
				if (code === "purchase" && entry) acknowledge(entry);
				else if (code === "error" && data.type === "UNAVAILABLE") isUnavailable = true;
				else if (code === "error" || code === "purchase") unexpectedAnswers.push(JSON.stringify({ code, data }));
				if (code === "purchase" || code === "error") left.delete(data.id);
				return left.size === 0;
			},
			"all answers",
			{ from: socket.frames.length }
		);
		for (const { body } of bought) socket.send(body);
		await answers;
		if (isUnavailable) await delay(PAUSE_MS);
	}

	async function overSocket(): Promise<void> {
		let socket: Socket | undefined;
		while (running) {
			try {
				socket ??= await openSocket(any(system.wsUrls));
				await buyOver(socket);
				// All answers were processed: drop them to save memory.
				socket.frames.length = 0;
				await think();
			} catch {
				socket?.close();
				socket = undefined;
				await delay(PAUSE_MS);
			}
		}
		socket?.close();
	}

	return {
		entries,
		unexpectedAnswers,
		acknowledged: () => acknowledged,
		post,
		start() {
			running = true;
			clients = Array.from({ length: workers }, (_, n) => (n % 3 === 2 ? overSocket() : overHttp()));
		},
		async stop() {
			running = false;
			await Promise.all(clients);
		}
	};
}
