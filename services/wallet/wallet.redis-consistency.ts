// Whether what Redis holds may be believed. It may have come back from an older dump, without its last second, or empty.
import { randomUUID } from "node:crypto";
import type { Redis } from "../../mixins/redis.ts";
import { APPLIED_KEY, GENERATION_KEY, type WalletClient } from "./wallet.lua.ts";

export interface RedisConsistency {
	/** Whether Redis may be believed over the present connection. Where that is not known it is found out, for the next who asks. */
	isConsistent(): boolean;
	/** Redis has shown that it is not what it was: find out again. */
	invalidate(): void;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Redis keeps with the totals how far they go: the next offset of each partition, in the same step as the totals of the records before it.
 * What it holds is a state that it once was in, so if it goes as far as the group has committed, nothing that was committed is missing from it.
 * If not, a new generation begins, and whoever was confirmed in an older one has to be confirmed again. Over one connection Redis only
 * moves on: once is enough for each, and a generation that changes meanwhile is a fresh one that some other node has begun.
 */
export function redisConsistency(redis: Redis, client: WalletClient, committed: () => Promise<number[]>): RedisConsistency {
	/** The number of the connection over which Redis was found, or made, believable. */
	let checkedAtLoss: number | undefined;
	let isChecking = false;
	let failures = 0;
	let notBeforeMs = 0;

	const check = async () => {
		const { losses } = redis;
		// First what was committed: what is applied by the time that Redis is asked can then only be more.
		const due = await committed();
		const [seen, applied] = await Promise.all([client.get(GENERATION_KEY), client.hgetall(APPLIED_KEY)]);
		if (!seen || due.some((offset, partition) => Number(applied[partition] ?? 0) < offset)) {
			const inForce = await client.walletRenew(2, GENERATION_KEY, APPLIED_KEY, seen ?? "", randomUUID(), ...due);
			if (inForce === "") throw new Error("emptied in between");
		}
		checkedAtLoss = losses;
	};

	const startCheck = async () => {
		if (isChecking || performance.now() < notBeforeMs) return;
		isChecking = true;
		try {
			await check();
			failures = 0;
		} catch {
			// Redis or the topic log is away: answers come from Postgres meanwhile, and whoever asks next sets this going again.
			notBeforeMs = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** failures++, LONGEST_PAUSE_MS);
		}
		isChecking = false;
	};

	redis.onReconnect(() => {
		notBeforeMs = 0;
		void startCheck();
	});

	return {
		isConsistent() {
			if (checkedAtLoss === redis.losses) return true;
			void startCheck();
			return false;
		},
		invalidate() {
			checkedAtLoss = undefined;
			void startCheck();
		}
	};
}
