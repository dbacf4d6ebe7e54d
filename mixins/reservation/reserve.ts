// Reserves: with one statement if everything is there, otherwise by a decision under locks, which also frees what has expired.
import type { Knex } from "knex";
import type { Request, Reserved } from "./reservation.rules.ts";
import { MAX_EXPIRED, type Statements } from "./reservation.sql.ts";
import { decideReserve, type PolicyDecision } from "./reserve.rules.ts";
import type { OnMoved, Transactions } from "./transactions.ts";

/**
 * Called while the levels are locked, with the requests of new holders; resolves with the function that decides about each of them. It may lock rows of its
 * own: every other transaction that locks them must do so after the levels too, as `onMoved` does. A transaction that inserts a holder without a policy,
 * which `giveBack` does for an unknown one, must not lock them.
 */
export type Policy = (trx: Knex.Transaction, requests: Request[]) => Promise<PolicyDecision>;

export interface ReserveOptions {
	onMoved?: OnMoved;
	policy?: Policy;
}

/** The level of an item that is assumed to suffice. */
const PLENTY = { label: "", stock: Number.MAX_SAFE_INTEGER, reserved: 0, version: 0 };

const itemsOf = (requests: Request[]) => requests.flatMap(({ lines }) => lines.map(({ item }) => item));
const holdersOf = (requests: Request[]) => requests.map(({ holder }) => holder);
const missingOf = (answer: Reserved) => ("refused" in answer && answer.refused === "OUT_OF_STOCK" ? answer.missing : []);

/** The answers with the time at which a new reservation expires; the known ones have it. */
const withExpiries = (answers: Reserved[], requests: Request[], expiries: ReadonlyMap<string, Date>) =>
	answers.map((answer, n): Reserved => {
		if ("refused" in answer) return answer;
		const expiresAt = expiries.get(requests[n]!.holder);
		return expiresAt ? { ...answer, expiresAt } : answer;
	});

/** See `reserve` in reservation.store.ts. */
export function reserving(knex: Knex, sql: Statements, { transact, write, giveBackExpired }: Transactions) {
	/**
	 * Reserves with one statement if all holders are new and there is enough of every item, as is usual; the statement checks both. Returns undefined if
	 * that is not so, and then nothing has changed.
	 */
	const reserveNew = async (requests: Request[]): Promise<Reserved[] | undefined> => {
		const levels = new Map(itemsOf(requests).map(item => [item, { ...PLENTY, item }]));
		const { answers, movements, holdings } = decideReserve(requests, { levels, holdings: new Map() });
		if (movements.length === 0 || answers.some(answer => "refused" in answer)) return undefined;
		const expiries = await sql.reserveNew(knex, movements, holdings).catch(error => {
			if (sql.isHolderInserted(error) || sql.isLevelOutdated(error) || sql.isDeadlock(error)) return undefined;
			throw error;
		});
		return expiries && withExpiries(answers, requests, expiries);
	};

	/** `expired`: the expired holders of items that a request lacks. */
	const decide = (requests: Request[], { onMoved, policy }: ReserveOptions) =>
		transact(async trx => {
			const levels = await sql.lock(trx, itemsOf(requests));
			const known = { levels, holdings: await sql.holdingsOf(trx, holdersOf(requests)) };
			const added = requests.filter(({ holder }) => !known.holdings.has(holder));
			const policyDecision = added.length > 0 ? await policy?.(trx, added) : undefined;
			const decision = decideReserve(requests, known, policyDecision);
			const answers = withExpiries(decision.answers, requests, await write(trx, decision, known, onMoved));
			const missing = [...new Set(answers.flatMap(missingOf).map(({ item }) => item))];
			// Under the locks: after them, another node could give one back first, and a free item would be refused.
			const expired = missing.length > 0 ? await sql.expired(trx, MAX_EXPIRED, missing) : [];
			return { answers, expired };
		});

	return async (requests: Request[], options: ReserveOptions = {}): Promise<(Reserved | Error)[]> => {
		// `onMoved` gets the levels, which only a transaction can read before it writes; a policy needs their locks.
		const reserved = options.onMoved || options.policy ? undefined : await reserveNew(requests);
		if (reserved) return reserved;
		const first = await decide(requests, options);
		if (first.expired.length === 0) return first.answers;
		const refused = requests.filter((_, n) => missingOf(first.answers[n]!).length > 0);
		// In a transaction of its own, because it locks further levels: all that these holders have reserved.
		const second = await giveBackExpired(first.expired, options.onMoved)
			.then(() => decide(refused, options))
			.catch((error: Error) => error);
		// What the first transaction has reserved is committed: its holders must get their answers.
		if (second instanceof Error && !first.answers.some(answer => "done" in answer)) throw second;
		const answers = second instanceof Error ? refused.map(() => second).values() : second.answers.values();
		return first.answers.map(answer => (missingOf(answer).length > 0 ? answers.next().value! : answer));
	};
}
