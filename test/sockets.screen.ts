// A person's screen as a sensible client keeps it: it comes back at once when its gateway is gone, to the next one, and then asks for all it shows.
import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import type { Frame } from "./client.socket.ts";

export interface Gateway {
	ws: string;
	http: string;
}

export interface Shown {
	user: string;
	counts: Record<string, number>;
	balance: number | undefined;
}

/** What a screen has had since it is connected. */
export type News = "connected" | "counts" | "balance" | "synchronized";

export interface Screen {
	shown: Shown;
	/** The gateway it is connected to. */
	at: number | undefined;
	/** When each came, by the clock of this process. */
	news: Map<News, number>;
	/** Since when it has wanted the connection that it has now: it was opened, or lost the one before. */
	wantedAtMs: number;
	/** Counts that a connection has shown lower than before. */
	wentDown: number;
	/** What ended its connections or kept it from being answered, and how often. */
	refusals: Map<string, number>;
}

/** Those who lost one gateway together should not all come at once. */
const JITTER_MS = 250;
const AGAIN_AFTER_MS = 250;
/** Whoever has not been told by then that it is connected tries elsewhere. */
const ANSWER_MS = 30_000;
/** Whoever has found no gateway for so many times waits twice as long each time. */
const AT_ONCE = 2;
const LONGEST_PAUSE_MS = 15_000;
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
				const retryAfterMs = Number(response.headers["retry-after"] ?? 0) * 1000 || AGAIN_AFTER_MS;
				resolve({ status: response.statusCode ?? 0, retryAfterMs, text });
			});
		});
		sent.on("error", reject).end(body && JSON.stringify(body));
	});

/** Opens a screen at one of the gateways, and keeps it open at whichever there are. */
export function openScreen(user: string, gateways: Gateway[], first: number): Screen {
	const screen: Screen = {
		shown: { user, counts: {}, balance: undefined },
		at: undefined,
		news: new Map(),
		wantedAtMs: performance.now(),
		wentDown: 0,
		refusals: new Map()
	};
	const { shown, news, refusals } = screen;
	const refused = (why: string) => refusals.set(why, (refusals.get(why) ?? 0) + 1);
	const isNews = (what: News) => news.has(what) || news.set(what, performance.now());

	/** Asks until it is answered, for as long as this is the connection it is asked for. */
	const untilAnswered = async (ws: WebSocket, ...asked: Parameters<typeof ask>) => {
		while (ws.readyState === WebSocket.OPEN) {
			const answer = await ask(...asked).catch(() => undefined);
			if (answer && answer.status < 300) return answer.text;
			refused(`HTTP ${answer?.status ?? "lost"}`);
			await delay((answer?.retryAfterMs ?? AGAIN_AFTER_MS) + Math.random() * JITTER_MS);
		}
		return undefined;
	};

	const showBalance = (total: number) => {
		shown.balance = Math.max(total, shown.balance ?? 0);
		isNews("balance");
	};

	const synchronize = async (ws: WebSocket, { http }: Gateway) => {
		void untilAnswered(ws, http, "POST", "/api/selections/synchronization", { user_id: user });
		const wallet = await untilAnswered(ws, http, "GET", `/api/wallet/${user}`);
		if (wallet) showBalance(JSON.parse(wallet).balances.total);
	};

	let failures = 0;
	const pauseMs = () => Math.min(JITTER_MS * 2 ** Math.max(0, failures - AT_ONCE), LONGEST_PAUSE_MS) * Math.random();

	const open = (at: number) => {
		const gateway = gateways[at % gateways.length] as Gateway;
		const ws = new WebSocket(gateway.ws, { perMessageDeflate: false });
		const seen = new Map<string, number>();
		const show = (name: string, count: number) => {
			if (count < (seen.get(name) ?? 0)) screen.wentDown++;
			seen.set(name, count);
			shown.counts[name] = Math.max(count, shown.counts[name] ?? 0);
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
				isNews("connected");
				void synchronize(ws, gateway);
			} else if (code === "Selections" || code === "SynchronizationResults") {
				for (const { name, count } of code === "Selections" ? data : data.selections) show(name, count);
				isNews(code === "Selections" ? "counts" : "synchronized");
			} else if (code === "SelectionSummary") show(data.name, data.count);
			else if (code === "balance") showBalance(data.balances.total);
			else refused(`frame ${JSON.stringify(data)}`);
		});
		ws.on("error", error => refused(error.message));
		ws.on("close", code => {
			clearTimeout(unanswered);
			failures++;
			refused(`closed with ${code}`);
			if (screen.at !== undefined) screen.wantedAtMs = performance.now();
			screen.at = undefined;
			news.clear();
			setTimeout(open, pauseMs(), at + 1);
		});
	};
	open(first);
	return screen;
}
