// A crowd that picks and buys at the same time, over HTTP and over sockets, and writes down what it sent and what was acknowledged.
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

const doors = { pick: { path: "/api/selections/async", status: 202 }, purchase: { path: "/api/purchases", status: 201 } };
const PAUSE_MS = 50;
const pause = () => new Promise(resolve => setTimeout(resolve, PAUSE_MS));
const any = <T>(from: readonly T[]) => from[Math.floor(Math.random() * from.length)] as T;

/** Of `workers` clients every third buys over a socket; the others pick and buy over HTTP. Each sends the next when it is answered. */
export function gatherCrowd(system: System, names: string[], people: string[], workers: number) {
	const entries: Entry[] = [];
	/** Answers that no outage excuses. */
	const surprises: string[] = [];
	let acknowledged = 0;
	let running = false;
	let crowd: Promise<void>[] = [];

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
			if (!(await post(entry))) await pause();
		}
	}

	async function overSocket(): Promise<void> {
		let socket: Socket | undefined;
		while (running) {
			const entry = anyPurchase();
			try {
				socket ??= await openSocket(any(system.wsUrls));
				entries.push(entry);
				const from = socket.frames.length;
				socket.send(entry.body);
				const { code, data } = await socket.waitFor(({ code }) => code === "purchase" || code === "error", "an answer", { from });
				if (code === "purchase" && data.id === entry.body.id) acknowledge(entry);
				else if (data.type === "UNAVAILABLE") await pause();
				else surprises.push(JSON.stringify({ code, data }));
			} catch {
				socket?.close();
				socket = undefined;
				await pause();
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
