// Sends picks and purchases at a low rate, each until it is acknowledged, so that the final values of all screens are known.
import { setTimeout as delay } from "node:timers/promises";
import { fresh, httpClient } from "./client.ts";

const EVERY_MS = 100;
/** The fraction of picks; the others are purchases. */
const PICKS = 0.2;
const RETRY_AFTER_MS = 100;
const WITHIN_MS = 60_000;
const any = <T>(from: readonly T[]) => from[Math.floor(Math.random() * from.length)] as T;

export function trade(urls: string[], names: string[], users: string[]) {
	const counts: Record<string, number> = Object.fromEntries(names.map(name => [name, 0]));
	const cents = new Map<string, number>();
	const pending = new Set<Promise<void>>();
	/** Unexpected answers: those that a killed gateway does not explain. */
	const unexpectedAnswers: string[] = [];
	let acknowledged = 0;

	const untilAcknowledged = async (path: string, status: number, body: object) => {
		const untilMs = Date.now() + WITHIN_MS;
		for (;;) {
			const answer = await httpClient(any(urls))
				.post(path, body)
				.catch(() => undefined);
			if (answer?.status === status) break;
			if (answer && answer.status !== 503) unexpectedAnswers.push(`${answer.status} ${answer.text}`);
			if (Date.now() > untilMs) throw new Error(`${path} was not acknowledged within ${WITHIN_MS} ms: ${answer?.text}`);
			await delay(RETRY_AFTER_MS);
		}
		acknowledged++;
	};
	const pick = async () => {
		const name = any(names);
		await untilAcknowledged("/api/selections/async", 202, { name, id: fresh("pick"), user_id: any(users) });
		counts[name] = (counts[name] as number) + 1;
	};
	const buy = async () => {
		const [user_id, amountCents] = [any(users), 1 + Math.floor(Math.random() * 10_000)];
		await untilAcknowledged("/api/purchases", 201, { user_id, amount: amountCents / 100, id: fresh("purchase") });
		cents.set(user_id, (cents.get(user_id) ?? 0) + amountCents);
	};
	const timer = setInterval(() => {
		const one: Promise<void> = (Math.random() < PICKS ? pick() : buy()).finally(() => pending.delete(one));
		pending.add(one);
	}, EVERY_MS);

	return {
		acknowledged: () => acknowledged,
		unexpectedAnswers,
		/** Starts no further operation, and waits for the pending ones. */
		async end() {
			clearInterval(timer);
			await Promise.all(pending);
		},
		/** The expected counts. */
		counts,
		totalOf: (user: string) => (cents.get(user) ?? 0) / 100
	};
}
