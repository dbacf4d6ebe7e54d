/**
 * Mixin: brings everybody's total back after Redis has lost them, not only of those who are asked for. Answers do not need it, they come from
 * Postgres meanwhile; whoever looks into Redis itself does. It has each user on the topic confirmed, one page at a time.
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
	/** How often it looks whether Redis has lost something. */
	everyMs?: number;
}

const PAGE_RECORDS = 500;
/** Others have work to do too. */
const PAUSE_MS = 20;

interface BackfillService extends Service {
	backfilling?: AbortController;
}

/** The users that these records are about; a key that is no id is nobody's. */
const usersOf = (records: TopicRecord[]) => [
	...new Set(records.flatMap(({ key }) => (key && Id.safeParse(String(key)).data) ?? []))
];

export function backfill(
	store: BalanceStore,
	{ redis: { client }, log, topic, everyMs = 5_000 }: BackfillOptions
): Partial<ServiceSchema> {
	/** Rejects when somebody could not be confirmed: a partition is only held to be warm when all of its users are. */
	async function confirm(broker: Caller, users: string[]) {
		const { generation, totalsCents } = await store.read(users);
		if (generation === undefined) throw unavailable("Redis");
		const missing = users.filter((_, index) => totalsCents[index] === undefined);
		const totals = await Promise.all(
			missing.map(async user_id => ({ user_id, ...(await broker.call("purchase.total", { user_id })) }))
		);
		// Of those who never bought nothing is kept.
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
		// To ask for nobody is enough for the store to see what Redis has lost.
		const { generation } = await store.read([]);
		if (generation === undefined) return;
		const warmed = await client.hgetall(BACKFILLED_KEY);
		for (const [partition, end] of (await log.ends(topic)).entries()) {
			if (warmed[partition] === generation) continue;
			await backfillPartition(service, partition, end, signal);
			await client.hset(BACKFILLED_KEY, partition, generation);
		}
	}

	return {
		started(this: BackfillService) {
			this.backfilling = new AbortController();
			const { signal } = this.backfilling;
			const keepLooking = async () => {
				while (!signal.aborted) {
					// What is away now is there another time, and what was brought back stays.
					await backfillAll(this, signal).catch(() => {});
					await delay(everyMs, undefined, { signal, ref: false }).catch(() => {});
				}
			};
			void keepLooking();
		},
		stopped(this: BackfillService) {
			this.backfilling?.abort();
		}
	};
}
