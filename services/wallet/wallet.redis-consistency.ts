// Checks whether the totals in Redis are complete: after a restart, Redis may have an older dump, lack the last second of writes, or be empty.
import { randomUUID } from "node:crypto";
import type { Redis } from "../../mixins/redis.ts";
import { APPLIED_KEY, GENERATION_KEY, type WalletClient } from "./wallet.lua.ts";

export interface RedisConsistency {
	/** Whether Redis was found complete over the current connection. If that is unknown, starts a check and returns false. */
	isConsistent(): boolean;
	/** Redis has answered that it stores a batch; `losses` is the value of `redis.losses` when the batch was sent. */
	onRaised(partition: number, nextOffset: number, losses: number): void;
	/** Redis may have lost data: check again. */
	invalidate(): void;
}

const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;

/**
 * Redis stores the next offset of each partition together with the totals of the records before it, atomically. The data in Redis is always some
 * earlier state as a whole; so if its offsets reach those that the consumer group has committed, and those that this process stored over earlier
 * connections and may not have committed yet, nothing is missing that will not be redelivered. Otherwise a new generation starts, and every user must
 * be confirmed again. While one connection lasts, Redis does not go back: one check for each connection is
 * enough, and a generation that changes meanwhile was started by another node.
 */
export function redisConsistency(redis: Redis, client: WalletClient, committed: () => Promise<number[]>): RedisConsistency {
	/** The value of `redis.losses` for which the check succeeded: it counts lost connections. */
	let checkedAtLoss: number | undefined;
	let isChecking = false;
	let failures = 0;
	let notBeforeMs = 0;
	/** The next offset of the last batch that Redis stored, by partition: over the current connection, and over all before. */
	let raised = new Map<number, number>();
	let raisedAtLoss = redis.losses;
	const raisedBefore = new Map<number, number>();

	const onLosses = (losses: number) => {
		if (losses === raisedAtLoss) return;
		for (const [partition, offset] of raised) raisedBefore.set(partition, offset);
		raised = new Map();
		raisedAtLoss = losses;
	};

	const check = async () => {
		const { losses } = redis;
		// Read the committed offsets first: the applied offsets, read later, can then only be higher.
		onLosses(losses);
		const due = (await committed()).map((offset, partition) => Math.max(offset, raisedBefore.get(partition) ?? 0));
		const [seen, applied] = await Promise.all([client.get(GENERATION_KEY), client.hgetall(APPLIED_KEY)]);
		if (!seen || due.some((offset, partition) => Number(applied[partition] ?? 0) < offset)) {
			const inForce = await client.walletRenew(2, GENERATION_KEY, APPLIED_KEY, seen ?? "", randomUUID(), ...due);
			if (inForce === "") throw new Error("Redis lost its data during the check");
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
			// Redis or the topic log is unavailable: reads use Postgres, and the next read after the backoff starts another check.
			notBeforeMs = performance.now() + Math.min(MIN_BACKOFF_MS * 2 ** failures++, MAX_BACKOFF_MS);
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
		onRaised(partition, nextOffset, losses) {
			if (losses < raisedAtLoss) raisedBefore.set(partition, nextOffset);
			else {
				onLosses(losses);
				raised.set(partition, nextOffset);
			}
		},
		invalidate() {
			checkedAtLoss = undefined;
			void startCheck();
		}
	};
}
