/**
 * Sends what an outbox holds to its topics: each message at least once, each key's in order. One node at a time does, by a lease.
 *
 *     mixins: [relay(box, log, { runsService: true }), database(db, migrations)]       // before the mixin that makes the tables: it starts after it
 *
 * A message is deleted once the log has acknowledged it, so a relay that dies in between sends it again: whoever reads it must expect that.
 * While the log is away everything waits and health says for how long; so it does for a message that the log will never take.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger, Service, ServiceSchema } from "moleculer";
import { addCheck } from "../health.ts";
import { addMetric, type Metric } from "../metrics.ts";
import { REQUEST_ID } from "../topics/headers.ts";
import type { TopicLog } from "../topics/topic-log.ts";
import { APPEND_BOUND_MS, type Lease, leaseOf } from "./lease.ts";
import type { Outbox, PendingMessage } from "./outbox.ts";

export interface RelayOptions {
	/** Whether this node sends. One that only carries the service's answers leaves that to others. Default: yes. */
	runsService?: boolean | ((service: string) => boolean);
	/** The pause between two looks, which grows from the least to the most while there is nothing (after something was sent it is at most 10 ms): how late the commits of other processes are seen. */
	pollMs?: { least: number; most: number };
}

type Log = Pick<TopicLog, "append">;
type Lines = Pick<Logger, "debug" | "info" | "warn">;

const MAX_MESSAGES = 1_000;
/** Kafka takes a batch of one partition only if it is smaller than the largest record it takes, by default 1 MiB. */
const MAX_BYTES = 512 * 1024;
const STANDBY_MS = 1_000;
/** At most so long what has left stays in the table, for the look at the next commit to take it out: one question then, and not two. */
const LINGER_MS = 10;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5_000;
const LATE_MS = 5_000;
const AGE: Metric = {
	name: "plaza.outbox.age.seconds",
	type: "gauge",
	description: "how long the oldest message has waited to leave; NaN: unknown, the database is away",
	labelNames: ["outbox"]
};

/** As many as go into one append: the first, and those after it until it is full. */
export function fill(waiting: PendingMessage[], maxBytes = MAX_BYTES): PendingMessage[] {
	let bytes = 0;
	const end = waiting.findIndex(({ record: { key, value } }, index) => {
		bytes += Buffer.byteLength(key ?? "") + Buffer.byteLength(value);
		return index > 0 && bytes > maxBytes;
	});
	return end === -1 ? waiting : waiting.slice(0, end);
}

/** `more`: sent, and there was more to send. */
type Outcome = "more" | "sent" | "nothing" | "standby";

/**
 * One look at the outbox. What was read under one fence is sent under the same one or not at all: by then somebody else may have sent it.
 * `left`: what has left since the last look and is still in the table; the look takes it out.
 */
async function round(outbox: Outbox, log: Log, lease: Lease, logger: Lines, left: Set<string>): Promise<Outcome> {
	const fence = await lease.hold();
	if (fence === undefined && left.size === 0) return "standby";
	const oldest = await outbox.next(fence === undefined ? 0 : MAX_MESSAGES, [...left]);
	const waiting = fill(oldest);
	left.clear();
	if (fence === undefined || (await lease.hold()) !== fence) return "standby";
	if (waiting.length === 0) return "nothing";
	await log.append(waiting.map(({ record }) => record));
	for (const { id, record } of waiting) {
		left.add(id);
		logger.debug("published", { topic: record.topic, key: record.key, requestID: record.headers?.[REQUEST_ID] });
	}
	return waiting.length < oldest.length || oldest.length === MAX_MESSAGES ? "more" : "sent";
}

/** Looks until it is stopped: at once after each commit of this process, and now and then for those of others. */
export function startRelay(
	outbox: Outbox,
	log: Log,
	lease: Lease,
	logger: Lines,
	{ least, most }: { least: number; most: number }
) {
	let stopping = false;
	let committed = false;
	let listening = false;
	let failing = false;
	let rouse = () => {};
	const left = new Set<string>();

	const sleep = (ms: number) =>
		new Promise<void>(resolve => {
			const timer = setTimeout(resolve, ms);
			rouse = () => {
				clearTimeout(timer);
				resolve();
			};
		});
	const forget = outbox.onCommit(() => {
		committed = true;
		if (listening) rouse();
	});

	const run = async () => {
		let pauseMs = least;
		while (!stopping) {
			committed = false;
			try {
				const outcome = await round(outbox, log, lease, logger, left);
				if (failing) logger.info(`${outbox.table}: goes on`);
				failing = false;
				// Who stands by cannot send what was just committed here.
				listening = outcome !== "standby";
				if (outcome === "more" || (committed && listening)) pauseMs = 0;
				else if (outcome === "sent") pauseMs = Math.min(least, LINGER_MS);
				else pauseMs = outcome === "nothing" ? Math.min(Math.max(pauseMs * 2, least), most) : STANDBY_MS;
			} catch (error) {
				if (!failing)
					logger.warn(`${outbox.table}: its messages wait (${(error as Error).message}); trying again until they leave`);
				pauseMs = failing ? Math.min(pauseMs * 2, LONGEST_BACKOFF_MS) : FIRST_BACKOFF_MS;
				failing = true;
				listening = false;
			}
			if (pauseMs > 0 && !stopping) await sleep(pauseMs);
		}
		if (left.size > 0) await outbox.next(0, [...left]).catch(() => {});
		await lease.release().catch(() => {});
	};

	const running = run();
	return {
		/** Lets an append under way end. */
		async stop() {
			stopping = true;
			forget();
			rouse();
			await Promise.race([running, delay(APPEND_BOUND_MS, undefined, { ref: false })]);
		}
	};
}

interface RelayService extends Service {
	outboxRelay?: ReturnType<typeof startRelay>;
}

/** Mixin; see the top of this file. */
export function relay(outbox: Outbox, log: Log, options: RelayOptions = {}): Partial<ServiceSchema> {
	const { runsService = true, pollMs = { least: 5, most: 50 } } = options;
	return {
		created(this: RelayService) {
			addCheck(this.broker, outbox.table, async () => {
				const ageMs = await outbox.ageMs();
				return ageMs < LATE_MS ? "ok" : `the oldest message has waited for ${Math.round(ageMs / 1000)} s`;
			});
			// Every node that carries the service tells it: also when the one that should send is gone.
			const reading = (ageMs: number) => [{ value: ageMs / 1000, labels: { outbox: outbox.table } }];
			addMetric(this.broker, AGE, async () => reading(await outbox.ageMs()), reading(Number.NaN));
		},

		started(this: RelayService) {
			if (typeof runsService === "function" ? !runsService(this.name) : !runsService) return;
			this.outboxRelay = startRelay(outbox, log, leaseOf(outbox, this.broker.nodeID), this.logger, pollMs);
		},

		async stopped(this: RelayService) {
			await this.outboxRelay?.stop();
		}
	};
}
