import type { RequestListener } from "node:http";
import { sendJson } from "./http-error.ts";

export interface HealthReport {
	status: string;
	checks: Record<string, string>;
}

/** The checks that are not ok, in one line: `kafka (unavailable), topics:sync (starting)`. */
export const problemsOf = ({ checks }: HealthReport): string =>
	Object.entries(checks)
		.flatMap(([name, state]) => (state === "ok" ? [] : `${name} (${state})`))
		.join(", ");

/** Health is computed at most ten times a second, however many requests arrive. */
const CACHE_MS = 100;

function cached<T>(compute: () => Promise<T>) {
	let value: Promise<T> | undefined;
	let computedAtMs = 0;
	return () => {
		const nowMs = performance.now();
		if (!value || nowMs - computedAtMs > CACHE_MS) [value, computedAtMs] = [compute(), nowMs];
		return value;
	};
}

/** The health pages, by path. They are cheap enough to need no rate limit. */
export function healthPages(health: () => Promise<HealthReport>): Map<string, RequestListener> {
	const report = cached(health);
	const sendReport: RequestListener = async (_req, res) => {
		const { status, checks } = await report();
		sendJson(res, status === "ok" ? 200 : 503, { status, checks });
	};
	return new Map([
		["/health", sendReport],
		["/health/ready", sendReport],
		// Liveness checks no dependency: restarting this process would not repair one.
		["/health/live", (_req, res) => sendJson(res, 200, { status: "ok" })]
	]);
}
