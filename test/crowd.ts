// A crowd that picks and buys at the same time, over HTTP and over sockets, and writes down what it sent and what was acknowledged.
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

export interface CrowdOptions {
	/** Clients at the same time: every third buys over a socket, the others pick and buy over HTTP. */
	workers: number;
	/** The longest that each waits with the next after an answer. Default: does not wait. */
	thinkMs?: number;
}

const doors = { pick: { path: "/api/selections/async", status: 202 }, purchase: { path: "/api/purchases", status: 201 } };
const PAUSE_MS = 50;
/** Over a socket, while the answers are on their way. */
const PURCHASES_AT_ONCE = 4;
export const any = <T>(from: readonly T[]) => from[Math.floor(Math.random() * from.length)] as T;

/** Each client sends the next when it is answered. */
export function gatherCrowd(system: System, names: string[], people: string[], { workers, thinkMs = 0 }: CrowdOptions) {
	const entries: Entry[] = [];
	/** Answers that no outage excuses. */
	const surprises: string[] = [];
	let acknowledged = 0;
	let running = false;
	let crowd: Promise<void>[] = [];

	const think = async () => {
		if (thinkMs > 0) await delay(Math.random() * thinkMs);
	};
	const acknowledge = (entry: Entry) => {
		if (!entry.acknowledged) acknowledged++;
		entry.acknowledged = true;
	};
	const anyPick = (): Entry => {
		return { kind: "pick", acknowledged: false, body: { name: any(names), id: fresh("pick"), user_id: any(people) } };
	};
	const anyPurchase = (): Entry => {
		const amount = Math.ceil(Math.random() * 10_000) / 100;
		return { kind: "purchase", acknowledged: false, body: { id: fresh("purchase"), user_id: any(people), amount } };
	};

	/** Sends an entry to any gateway, for the first time or again. */
	async function post(entry: Entry): Promise<boolean> {
		const { path, status } = doors[entry.kind];
		try {
			const answer = await httpClient(any(system.urls)).post(path, entry.body);
			if (answer.status === status) acknowledge(entry);
			else if (answer.status !== 503) surprises.push(`${answer.status} ${answer.text}`);
			return answer.status === status;
		} catch {
			// Refused, reset or never answered: nothing is known of it.
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

	/** Rejects where the socket is lost. */
	async function buyOver(socket: Socket): Promise<void> {
		const bought = Array.from({ length: PURCHASES_AT_ONCE }, anyPurchase);
		const left = new Map(bought.map(entry => [entry.body.id, entry]));
		entries.push(...bought);
		let away = false;
		const answers = socket.waitFor(
			({ code, data }) => {
				if (left.size === 0) return true;
				const entry = left.get(data.id);
				if (code === "purchase" && entry) acknowledge(entry);
				else if (code === "error" && data.type === "UNAVAILABLE") away = true;
				else if (code === "error" || code === "purchase") surprises.push(JSON.stringify({ code, data }));
				if (code === "purchase" || code === "error") left.delete(data.id);
				return left.size === 0;
			},
			"all answers",
			{ from: socket.frames.length }
		);
		for (const { body } of bought) socket.send(body);
		await answers;
		if (away) await delay(PAUSE_MS);
	}

	async function overSocket(): Promise<void> {
		let socket: Socket | undefined;
		while (running) {
			try {
				socket ??= await openSocket(any(system.wsUrls));
				await buyOver(socket);
				// Pushed and answered: nobody looks at them again.
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
		surprises,
		acknowledged: () => acknowledged,
		post,
		burst() {
			running = true;
			crowd = Array.from({ length: workers }, (_, n) => (n % 3 === 2 ? overSocket() : overHttp()));
		},
		async calm() {
			running = false;
			await Promise.all(crowd);
		}
	};
}
