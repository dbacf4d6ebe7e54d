/**
 * Mixin: writes the totals of all users back to Redis after Redis has lost data. Our own reads do not need this, because they fall back to
 * Postgres; clients that read Redis directly do. It confirms each user on the topic, one page of records at a time.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Service, ServiceSchema } from "moleculer";
import { Id } from "../../contract/id.ts";
import { unavailable } from "../../mixins/errors.ts";
import type { Redis } from "../../mixins/redis.ts";
import type { TopicLog, TopicRecord } from "../../mixins/topics/topic-log.ts";
import type { Caller } from "../define-service.ts";
import { BACKFILLED_KEY } from "./wallet.lua.ts";
import type { BalanceStore } from "./wallet.store.ts";

export interface BackfillOptions {
	redis: Redis;
	log: Pick<TopicLog, "ends" | "read">;
	topic: string;
	/** How often it checks whether Redis has lost data. */
	everyMs?: number;
}

const PAGE_RECORDS = 500;
/** Between two pages, so that a backfill does not slow down other work. */
const PAUSE_MS = 20;

interface BackfillService extends Service {
	backfilling?: AbortController;
}

/** The users in these records; keys that are no valid ids are skipped. */
const usersOf = (records: TopicRecord[]) => [
	...new Set(records.flatMap(({ key }) => (key && Id.safeParse(String(key)).data) ?? []))
];

export function backfill(
	store: BalanceStore,
	{ redis: { client }, log, topic, everyMs = 5_000 }: BackfillOptions
): Partial<ServiceSchema> {
	/** Rejects if a user could not be confirmed: a partition is marked as backfilled only when all of its users are. */
	async function confirm(broker: Caller, users: string[]) {
		const { generation, totalsCents } = await store.read(users);
		if (generation === undefined) throw unavailable("Redis");
		const missing = users.filter((_, index) => totalsCents[index] === undefined);
		const totals = await Promise.all(
			missing.map(async user_id => ({ user_id, ...(await broker.call("purchase.total", { user_id })) }))
		);
		// Users without purchases are not stored.
		await store.confirm(
			totals.filter(({ seq }) => seq > 0),
			generation
		);
	}

	async function backfillPartition({ broker }: Service, partition: number, end: number, signal: AbortSignal) {
		for (let offset = 0; offset < end; ) {
			const records = await log.read(topic, partition, offset, PAGE_RECORDS);
			if (records.length === 0) return;
			await confirm(broker as unknown as Caller, usersOf(records));
			offset = records.at(-1)!.offset + 1;
			await delay(PAUSE_MS, undefined, { signal });
		}
	}

	async function backfillAll(service: Service, signal: AbortSignal) {
		// Reading no user is enough for the store to check whether Redis has lost data.
		const { generation } = await store.read([]);
		if (generation === undefined) return;
		const backfilled = await client.hgetall(BACKFILLED_KEY);
		for (const [partition, end] of (await log.ends(topic)).entries()) {
			if (backfilled[partition] === generation) continue;
			await backfillPartition(service, partition, end, signal);
			await client.hset(BACKFILLED_KEY, partition, generation);
		}
	}

	return {
		started(this: BackfillService) {
			this.backfilling = new AbortController();
			const { signal } = this.backfilling;
			const run = async () => {
				while (!signal.aborted) {
					// A dependency is unavailable: the next attempt continues with the partitions that are missing.
					await backfillAll(this, signal).catch(() => {});
					await delay(everyMs, undefined, { signal, ref: false }).catch(() => {});
				}
			};
			void run();
		},
		stopped(this: BackfillService) {
			this.backfilling?.abort();
		}
	};
}
