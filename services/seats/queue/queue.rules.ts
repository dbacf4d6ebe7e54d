// Decisions of the fair queue without I/O: the order, the token bucket of admissions, and what an account is answered. Times are Postgres' own, in whole
// µs since 1970.
import { createHmac } from "node:crypto";
import type { Entry } from "../../../mixins/outbox/outbox.ts";
import type { Place } from "../seats.contract.ts";

/** The queue of one show at one moment (`nowUs`). Its places are numbered from 1 in the order of admission, without gaps. */
export interface ShowQueue {
	showId: string;
	nowUs: number;
	startsAtUs: number;
	opensAtUs: number;
	perSecond: number;
	/** Whether those who joined before the opening have their places. */
	isOpen: boolean;
	/** The last place that is given. */
	places: number;
	/** The last place that is admitted. */
	admitted: number;
	/** When the token bucket was last empty; null: it is still full. */
	emptyAtUs: number | null;
}

/** The next `count` places are admitted. `emptyAtUs`: the token bucket afterwards. */
export interface Admission {
	showId: string;
	count: number;
	emptyAtUs: number;
}

const SECOND_US = 1_000_000;
/** The end of the year 9999: a later time has no ISO text with four digits, and a very low rate would lead there. */
const LAST_US = Date.UTC(9999, 11, 31, 23, 59, 59, 999) * 1_000;

/** Orders the accounts that join before the opening. Without the show's secret nobody can choose a lot, or know one in advance. */
export const lotOf = (secret: string | Buffer, userId: string): string =>
	createHmac("sha256", secret).update(userId).digest("hex");

/** What may be admitted at once after a pause: one second's worth, and at least one account. */
const burstOf = (perSecond: number) => Math.max(1, perSecond);

const tokensOf = ({ perSecond, emptyAtUs, nowUs }: ShowQueue) =>
	emptyAtUs === null ? burstOf(perSecond) : Math.min(burstOf(perSecond), ((nowUs - emptyAtUs) * perSecond) / SECOND_US);

/** When the bucket has held `tokens`, those included that are taken meanwhile. */
function filledAtUs(queue: ShowQueue, tokens: number): number {
	const fromUs = queue.isOpen ? queue.nowUs : Math.max(queue.nowUs, queue.opensAtUs);
	const missing = tokens - tokensOf(queue);
	if (missing <= 0) return fromUs;
	// Always later, never rounded down to a time at which a fraction of the token is still missing: a round would then find nothing to do.
	return Math.min(LAST_US, Math.floor(fromUs + (missing / queue.perSecond) * SECOND_US) + 1);
}

/** When the queue opens or admits the next account; undefined: nobody waits. In the past if that is due. */
export function nextAtUs(queue: ShowQueue): number | undefined {
	if (!queue.isOpen) return queue.opensAtUs;
	return queue.places > queue.admitted ? filledAtUs(queue, 1) : undefined;
}

/**
 * Admits from these queues as many as their rates allow, together at most `limit`; `after`: the queues afterwards. The one whose tokens have waited longest
 * is first: where the limit does not suffice for all, the others follow in the next rounds.
 */
export function admit(queues: ShowQueue[], limit: number): { admissions: Admission[]; after: ShowQueue[] } {
	const admissions: Admission[] = [];
	let left = limit;
	const emptyAtOf = ({ emptyAtUs }: ShowQueue) => emptyAtUs ?? 0;
	const after = queues
		.toSorted((one, other) => emptyAtOf(one) - emptyAtOf(other))
		.map(queue => {
			const tokens = tokensOf(queue);
			const count = queue.isOpen ? Math.min(Math.floor(tokens), queue.places - queue.admitted, left) : 0;
			if (count <= 0) return queue;
			left -= count;
			// Rounded up: otherwise the rate could be exceeded.
			const emptyAtUs = Math.ceil(queue.nowUs - ((tokens - count) / queue.perSecond) * SECOND_US);
			admissions.push({ showId: queue.showId, count, emptyAtUs });
			return { ...queue, admitted: queue.admitted + count, emptyAtUs };
		});
	return { admissions, after };
}

const isoOf = (us: number) => new Date(Math.floor(us / 1_000)).toISOString();

/** What an admitted account is answered. */
export const admittedUntil = (startsAtUs: number): Place => ({ state: "admitted", ahead: 0, until: isoOf(startsAtUs) });

/** What an account is answered. `ahead`: how many are admitted before it; negative: it is admitted itself. */
export const toPlace = (queue: ShowQueue, ahead: number): Place =>
	ahead < 0 ? admittedUntil(queue.startsAtUs) : { state: "waiting", ahead, until: isoOf(filledAtUs(queue, ahead + 1)) };

/** A message to each admitted account. */
export function toMessages(queues: ShowQueue[], admitted: { showId: string; userId: string }[]): Entry[] {
	const startsAtUs = new Map(queues.map(queue => [queue.showId, queue.startsAtUs]));
	return admitted.map(({ showId, userId }) => ({
		topic: "queue.updated",
		message: { showId, userId, ...admittedUntil(startsAtUs.get(showId)!) }
	}));
}
