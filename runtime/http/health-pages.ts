import type { RequestListener } from "node:http";
import { sendJson } from "./http-error.ts";

export interface Report {
	status: string;
	checks: Record<string, string>;
}

/** However many ask, health is worked out ten times a second at most. */
const CACHE_MS = 100;

/** An answer that is shared for a moment by all who ask. */
function cached<T>(ask: () => Promise<T>) {
	let answer: Promise<T> | undefined;
	let askedAtMs = 0;
	return () => {
		const nowMs = performance.now();
		if (!answer || nowMs - askedAtMs > CACHE_MS) [answer, askedAtMs] = [ask(), nowMs];
		return answer;
	};
}

/** What health says, by path. Cheap enough to be answered to everybody at any time. */
export function healthPages(health: () => Promise<Report>): Map<string, RequestListener> {
	const report = cached(health);
	const whole: RequestListener = async (_req, res) => {
		const { status, checks } = await report();
		sendJson(res, status === "ok" ? 200 : 503, { status, checks });
	};
	return new Map([
		["/health", whole],
		["/health/ready", whole],
		// Alive is whoever answers: a restart would not bring Kafka back.
		["/health/live", (_req, res) => sendJson(res, 200, { status: "ok" })]
	]);
}
