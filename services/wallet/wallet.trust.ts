// Whether what Redis holds may be believed. It may have come back from an older dump, without its last second, or empty.
import { randomUUID } from "node:crypto";
import type { Redis } from "../../mixins/redis.ts";
import { APPLIED_KEY, GENERATION_KEY, type WalletClient } from "./wallet.scripts.ts";

export interface Generation {
	/** The generation whose wallets may be believed; undefined while that is not settled, which it then sets about. */
	believed(): string | undefined;
	/** What Redis now says its generation is. Another than the believed one is reason to look again. */
	saw(generation: string): void;
	/** Something was wrong with Redis: look again before believing it. */
	doubt(): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Redis keeps with the totals how far they go: the next offset of each partition, in the same step as the totals of the records before it.
 * What it holds is a state that it once was in, so if it goes as far as the group has committed, nothing that was committed is missing from it.
 * If not, a new generation begins: whatever was written in an older one counts as not there, and comes back from Postgres.
 */
export function generationOf(redis: Redis, client: WalletClient, committed: () => Promise<number[]>): Generation {
	let known: { generation: string; losses: number } | undefined;
	let settling = false;
	let failures = 0;
	let notBeforeMs = 0;

	const settle = async () => {
		const { losses } = redis;
		// First what was committed: what is applied by the time that Redis is asked can then only be more.
		const due = await committed();
		const [seen, applied] = await Promise.all([client.get(GENERATION_KEY), client.hgetall(APPLIED_KEY)]);
		let generation = seen ?? "";
		if (!seen || due.some((offset, partition) => Number(applied[partition] ?? 0) < offset)) {
			const fresh = randomUUID();
			generation = await client.walletRenew(2, GENERATION_KEY, APPLIED_KEY, generation, fresh, ...due);
			// Somebody else was faster; whether theirs holds is not known yet.
			if (generation !== fresh) return settle();
		}
		known = { generation, losses };
	};

	const begin = async () => {
		if (settling || performance.now() < notBeforeMs) return;
		settling = true;
		try {
			await settle();
			failures = 0;
		} catch {
			// Redis or the topic log is away: answers come from Postgres meanwhile, and whoever asks next sets this going again.
			notBeforeMs = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS);
		}
		settling = false;
	};

	const doubt = () => {
		known = undefined;
		void begin();
	};

	redis.onReconnect(() => {
		notBeforeMs = 0;
		void begin();
	});

	return {
		believed() {
			if (known && known.losses === redis.losses) return known.generation;
			void begin();
			return undefined;
		},
		saw(generation) {
			if (known && known.generation !== generation) doubt();
		},
		doubt
	};
}
