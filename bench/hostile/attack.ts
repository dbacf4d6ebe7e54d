// The common part of all attacks: target, rate and counted outcomes. All connections of an attack come from one address.
import { setTimeout as delay } from "node:timers/promises";

export interface Target {
	/** The gateway: `http://127.0.0.1:8080`. */
	url: string;
	grpcPort: number;
	/** The address that the attack comes from. */
	from: string;
	/** A product that anybody may order: its stock does not run out. */
	productId: string;
}

export interface Run extends Target {
	/** On the clock of `performance.now()`. */
	endMs: number;
	/** Counts one outcome: `open`, `200`, `refused 429`, `ECONNRESET`, … */
	count(outcome: string): void;
}

/** `requests`: picks, purchases and reads; `logins`: sign-ins to one account; `orders`: orders of one line. */
export type VictimKind = "requests" | "logins" | "orders";

export interface Attack {
	name: string;
	what: string;
	/** Which requests the victim sends meanwhile. Default: `requests`. */
	victim?: VictimKind;
	/** Attacks until `endMs`. What is still open then is closed with the process. */
	run(run: Run): Promise<void>;
}

const TICK_MS = 10;

/**
 * Starts `act` `perSecond` times a second until the end, unless `maxRunning` of them run or `most` have been started. The rate does not depend on how fast
 * the attacked system answers, and the attacker does not use the processor without limit.
 */
export async function paced(
	{ endMs }: Run,
	{ perSecond, maxRunning, most = Number.POSITIVE_INFINITY }: { perSecond: number; maxRunning: number; most?: number },
	act: (n: number) => Promise<unknown>
): Promise<void> {
	const startMs = performance.now();
	let [started, running, skipped] = [0, 0, 0];
	while (performance.now() < endMs && started < most) {
		const due = Math.min(most, Math.floor(((performance.now() - startMs) * perSecond) / 1_000) - skipped);
		while (started < due && running < maxRunning) {
			running++;
			void act(started++).finally(() => running--);
		}
		// What could not start in time is dropped: otherwise the attack would catch up in a burst.
		skipped += Math.max(0, due - started);
		await delay(TICK_MS);
	}
	await delay(Math.max(0, endMs - performance.now()));
}

/** JSON of nearly 64 KiB with as many fields as fit that are in no contract. */
export function manyUnknownKeys(): string {
	const keys = Array.from({ length: 6_500 }, (_, n) => `"k${n}":0`).join();
	const body = `{"user_id":"attacker","amount":1,${keys}}`;
	if (Buffer.byteLength(body) > 64 * 1024) throw new Error("the body is larger than what the system reads");
	return body;
}

/** An order of this number of lines. */
export const orderOf = (productId: string, lines: number) => ({
	items: Array.from({ length: lines }, () => ({ productId, quantity: 1 })),
	shippingAddress: { city: "Athens" }
});
