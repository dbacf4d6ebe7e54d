// A screen that behaves like a well-written client: when its gateway fails it reconnects to the next one, and then synchronizes.
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import type { Frame } from "./client.socket.ts";

export interface Gateway {
	ws: string;
	http: string;
}

export interface ScreenValues {
	user: string;
	counts: Record<string, number>;
	balance: number | undefined;
}

/** What a screen has received on its present connection. */
export type Received = "connected" | "counts" | "balance" | "synchronized";

export interface Screen {
	values: ScreenValues;
	/** The index of its gateway. */
	at: number | undefined;
	/** When each was received, by the clock of this process. */
	received: Map<Received, number>;
	/** When it started to connect: when it was opened, or when it lost its previous connection. */
	connectingSinceMs: number;
	/** How often a count decreased within one connection. */
	decreases: number;
	/** Errors and closes, by reason. */
	refusals: Map<string, number>;
}

/** Random delay, so that clients of a failed gateway do not reconnect at the same time. */
const JITTER_MS = 250;
const RETRY_AFTER_MS = 250;
/** A screen that is not connected after this time tries another gateway. */
const ANSWER_MS = 30_000;
/** After this number of failures the pause doubles with each failure. */
const FAST_RETRIES = 2;
const MAX_PAUSE_MS = 15_000;
const agent = new Agent({ keepAlive: true, maxSockets: 100 });

interface Answer {
	status: number;
	retryAfterMs: number;
	text: string;
}

const ask = (base: string, method: string, path: string, body?: object) =>
	new Promise<Answer>((resolve, reject) => {
		const sent = request(new URL(path, base), { method, agent, headers: { "content-type": "application/json" } }, response => {
			let text = "";
			response.setEncoding("utf8").on("data", part => {
				text += part;
			});
			response.on("error", reject).on("end", () => {
				const retryAfterMs = Number(response.headers["retry-after"] ?? 0) * 1000 || RETRY_AFTER_MS;
				resolve({ status: response.statusCode ?? 0, retryAfterMs, text });
			});
		});
		sent.on("error", reject).end(body && JSON.stringify(body));
	});

/** Opens a screen on one of the gateways and keeps it connected. */
export function openScreen(user: string, gateways: Gateway[], first: number): Screen {
	const screen: Screen = {
		values: { user, counts: {}, balance: undefined },
		at: undefined,
		received: new Map(),
		connectingSinceMs: performance.now(),
		decreases: 0,
		refusals: new Map()
	};
	const { values, received, refusals } = screen;
	const refused = (why: string) => refusals.set(why, (refusals.get(why) ?? 0) + 1);
	const markReceived = (what: Received) => received.has(what) || received.set(what, performance.now());

	/** Retries a request until it succeeds, or until this connection ends. */
	const untilAnswered = async (ws: WebSocket, ...asked: Parameters<typeof ask>) => {
		while (ws.readyState === WebSocket.OPEN) {
			const answer = await ask(...asked).catch(() => undefined);
			if (answer && answer.status < 300) return answer.text;
			refused(`HTTP ${answer?.status ?? "lost"}`);
			await delay((answer?.retryAfterMs ?? RETRY_AFTER_MS) + Math.random() * JITTER_MS);
		}
		return undefined;
	};

	const showBalance = (total: number) => {
		values.balance = Math.max(total, values.balance ?? 0);
		markReceived("balance");
	};

	const synchronize = async (ws: WebSocket, { http }: Gateway) => {
		void untilAnswered(ws, http, "POST", "/api/selections/synchronization", { user_id: user });
		const wallet = await untilAnswered(ws, http, "GET", `/api/wallet/${user}`);
		if (wallet) showBalance(JSON.parse(wallet).balances.total);
	};

	let failures = 0;
	const pauseMs = () => Math.min(JITTER_MS * 2 ** Math.max(0, failures - FAST_RETRIES), MAX_PAUSE_MS) * Math.random();

	const open = (at: number) => {
		const gateway = gateways[at % gateways.length] as Gateway;
		const ws = new WebSocket(gateway.ws, { perMessageDeflate: false });
		const seen = new Map<string, number>();
		const show = (name: string, count: number) => {
			if (count < (seen.get(name) ?? 0)) screen.decreases++;
			seen.set(name, count);
			values.counts[name] = Math.max(count, values.counts[name] ?? 0);
		};
		const unanswered = setTimeout(() => {
			refused(`no answer in state ${ws.readyState}`);
			ws.terminate();
		}, ANSWER_MS);
		ws.on("open", () => {
			ws.send(JSON.stringify({ code: "connect", data: { user } }));
			ws.send(JSON.stringify({ code: "watch", data: { selections: true } }));
		});
		ws.on("message", text => {
			const { code, data } = JSON.parse(String(text)) as Frame;
			if (code === "connected") {
				clearTimeout(unanswered);
				failures = 0;
				screen.at = at % gateways.length;
				markReceived("connected");
				void synchronize(ws, gateway);
			} else if (code === "Selections" || code === "SynchronizationResults") {
				for (const { name, count } of code === "Selections" ? data : data.selections) show(name, count);
				markReceived(code === "Selections" ? "counts" : "synchronized");
			} else if (code === "SelectionSummary") show(data.name, data.count);
			else if (code === "balance") showBalance(data.balances.total);
			else refused(`frame ${JSON.stringify(data)}`);
		});
		ws.on("error", error => refused(error.message));
		ws.on("close", code => {
			clearTimeout(unanswered);
			failures++;
			refused(`closed with ${code}`);
			if (screen.at !== undefined) screen.connectingSinceMs = performance.now();
			screen.at = undefined;
			received.clear();
			setTimeout(open, pauseMs(), at + 1);
		});
	};
	open(first);
	return screen;
}
