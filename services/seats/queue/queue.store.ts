// The fair queues of the shows in Postgres: an account's place is a number, and who is admitted is one number for each show. All that gives places or admits
// holds the lock of the show's row in `show_queue_state`, so the order does not depend on the lease of the admission.
import type { Knex } from "knex";
import type { Outbox } from "../../../mixins/outbox/outbox.ts";
import type { Place } from "../seats.contract.ts";
import { admit, admittedUntil, lotOf, nextAtUs, type ShowQueue, toMessages, toPlace } from "./queue.rules.ts";
import { admissionStatements } from "./queue.store.admission.ts";
import { type Applicant, type Found, isJoinedMeanwhile, joinStatements } from "./queue.store.join.ts";

export { type Applicant, areAdmitted } from "./queue.store.join.ts";

/** What one round of the admission did. */
export interface Round {
	/** Whether this node has the lease; if not, the round did nothing. */
	isLeader: boolean;
	/** The queues that were opened, and how many accounts had joined before. */
	opened: { showId: string; places: number }[];
	/** In the order of their places. */
	admitted: Applicant[];
	/** When the next round has something to do, 0 for at once; undefined: nobody waits. */
	nextInMs: number | undefined;
}

export interface QueueStore {
	/**
	 * Gives each account its one place in the queue of its show, or returns the place that it has: answers in order, undefined for an unknown show. Those
	 * who join before the opening are ordered by lot when it comes, and all later ones follow in the order of their calls. A show without a queue
	 * admits everyone.
	 */
	join(applicants: Applicant[]): Promise<(Place | undefined)[]>;
	/**
	 * One round: opens the queues that are due, and admits from all as many as their rates allow since the round before, whichever node made it. The
	 * message `queue.updated` to each admitted account commits with its admission. `node`: no other live node may use this name.
	 */
	admit(node: string): Promise<Round>;
	/** Gives the lease up, if this node has it. */
	release(node: string): Promise<void>;
}

export interface QueueOptions {
	/** The SQL text of the present time; tests set another one. Default: `now()`. */
	now?: string;
}

/** Accounts that one transaction admits. */
const MAX_ADMITTED = 1_000;
/** Each statement must see what the transactions have committed that the lock waited for. */
const READ_COMMITTED = { isolationLevel: "read committed" } as const;

const keyOf = ({ showId, userId }: Applicant) => JSON.stringify([showId, userId]);
const hasQueue = (found: Found): found is Found & ShowQueue => found.opensAtUs !== null;
const isDue = (queue: ShowQueue) => (nextAtUs(queue) ?? Number.POSITIVE_INFINITY) <= queue.nowUs;
const isOpening = (queue: ShowQueue) => !queue.isOpen && isDue(queue);

function nextInMs(queues: ShowQueue[]): number | undefined {
	const pausesUs = queues.map(queue => Math.max(0, (nextAtUs(queue) ?? Number.POSITIVE_INFINITY) - queue.nowUs));
	const firstUs = Math.min(...pausesUs);
	return firstUs === Number.POSITIVE_INFINITY ? undefined : firstUs / 1_000;
}

/** The outbox's contracts must have the topic `queue.updated`. */
export function sqlQueue(knex: Knex, outbox: Outbox, { now = "now()" }: QueueOptions = {}): QueueStore {
	const sql = { ...joinStatements(now), ...admissionStatements(now) };

	/** Locks these queues, gives those their places who joined before an opening that is due, and returns the queues as they are now. */
	const lockAndOpen = async (trx: Knex.Transaction, showIds: string[]) => {
		const locked = await sql.lock(trx, showIds);
		const due = locked.filter(isOpening).map(({ showId }) => showId);
		const opened = due.length > 0 ? await sql.open(trx, due) : [];
		const placesOf = new Map(opened.map(({ showId, places }) => [showId, places]));
		const queues = locked.map(queue => {
			const places = placesOf.get(queue.showId);
			return places === undefined ? queue : { ...queue, isOpen: true, places };
		});
		return { opened, queues };
	};

	const enter = async (newcomers: (Found & ShowQueue)[]) => {
		const idsOf = (chosen: Found[]) => [...new Set(chosen.map(({ showId }) => showId))];
		const missing = idsOf(newcomers.filter(({ isStored }) => !isStored));
		if (missing.length > 0) await sql.store(knex, missing);
		const opening = idsOf(newcomers.filter(isOpening));
		if (opening.length > 0) await knex.transaction(trx => lockAndOpen(trx, opening), READ_COMMITTED);
		const withLots = newcomers.map(({ showId, userId, secret }) => ({ showId, userId, lot: lotOf(secret, userId) }));
		await sql.enter(knex, withLots).catch(error => {
			if (!isJoinedMeanwhile(error)) throw error;
		});
	};

	/** The place of each account that has joined; undefined if something changed between the statements. */
	const placesOf = async (members: Found[]): Promise<Map<string, Place> | undefined> => {
		const withLots = members.filter(member => hasQueue(member) && member.place === null);
		const ranked = withLots.length > 0 ? await sql.rank(knex, withLots) : [];
		if (ranked.length < withLots.length) return undefined;
		const aheadOf = new Map(ranked.map(one => [keyOf(one), one.ahead]));
		return new Map(
			members.map(member => {
				if (!hasQueue(member)) return [keyOf(member), admittedUntil(member.startsAtUs)];
				const ahead = member.place === null ? aheadOf.get(keyOf(member))! : member.place - member.admitted - 1;
				return [keyOf(member), toPlace(member, ahead)];
			})
		);
	};

	return {
		async join(applicants) {
			const distinct = [...new Map(applicants.map(one => [keyOf(one), one])).values()];
			// Repeated when another node has opened a queue meanwhile, or an account has joined through it: what was read before is outdated.
			for (;;) {
				const found = await sql.find(knex, distinct);
				const newcomers = found.filter(hasQueue).filter(({ hasJoined }) => !hasJoined);
				if (newcomers.length > 0) await enter(newcomers);
				else {
					const places = await placesOf(found);
					if (places) return applicants.map(one => places.get(keyOf(one)));
				}
			}
		},

		async admit(node) {
			const waiting = await sql.lead(knex, node);
			if (!waiting) return { isLeader: false, opened: [], admitted: [], nextInMs: undefined };
			const due = waiting.filter(isDue).map(({ showId }) => showId);
			if (due.length === 0) return { isLeader: true, opened: [], admitted: [], nextInMs: nextInMs(waiting) };
			return knex.transaction(async trx => {
				const { opened, queues } = await lockAndOpen(trx, due);
				const { admissions, after } = admit(queues, MAX_ADMITTED);
				const admitted = admissions.length > 0 ? await sql.admit(trx, admissions) : [];
				await outbox.add(trx, toMessages(queues, admitted));
				const others = waiting.filter(queue => !isDue(queue));
				return { isLeader: true, opened, admitted, nextInMs: nextInMs([...others, ...after]) };
			}, READ_COMMITTED);
		},

		async release(node) {
			await sql.release(knex, node);
		}
	};
}
