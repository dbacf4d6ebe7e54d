// The admission of waiting accounts. Every node that runs seats has this loop; the one with the lease admits, and the others try to take the lease.
import type { Logger } from "moleculer";
import { createBackoff } from "../../../mixins/backoff.ts";
import { deadlineIn, waitAtMost } from "../../../mixins/deadline.ts";
import type { QueueStore, Round } from "./queue.store.ts";

export interface AdmissionOptions {
	/** Between two rounds, also while people wait for tokens or join: half of the time that the bucket takes to fill. */
	leastMs?: number;
	/** While nobody waits: a join on another node is noticed this late. */
	mostMs?: number;
	/** On a node without the lease. */
	standbyMs?: number;
	/** A server that is lost without a reset of its connections does not answer: after this time the round has failed. */
	timeoutMs?: number;
}

/** Idle, two nodes send three statements in four seconds. Well below the lease, which each round renews. */
const DEFAULTS = { leastMs: 500, mostMs: 2_000, standbyMs: 4_000, timeoutMs: 4_500 };
const BACKOFF = { firstMs: 500, longestMs: 5_000 };
const STOP_MS = 5_000;
/** Longer than any pause together with a statement that times out. */
const LATE_MS = 15_000;

export function pauseAfter(
	{ isLeader, nextInMs }: Round,
	{ leastMs, mostMs, standbyMs }: Required<Omit<AdmissionOptions, "timeoutMs">>
): number {
	if (!isLeader) return standbyMs;
	// More were due than one round admits.
	if (nextInMs === 0) return 0;
	return Math.min(Math.max(nextInMs ?? mostMs, leastMs), mostMs);
}

/** `node`: this node's name. `wake`: somebody has joined here. `stop` waits for a round in progress, and gives up the lease. */
export function startAdmission(
	store: Pick<QueueStore, "admit" | "release">,
	node: string,
	logger: Pick<Logger, "debug" | "info" | "warn">,
	options: AdmissionOptions = {}
) {
	const { timeoutMs, ...pauses } = { ...DEFAULTS, ...options };
	const backoff = createBackoff(BACKOFF);
	let isStopping = false;
	let isFailing = false;
	/** A node without the lease is not woken: it cannot admit. */
	let isLeader = false;
	let isWoken = false;
	let beganAtMs = 0;
	let succeededAtMs = performance.now();
	/** Changes when the sleep in progress ends. */
	let endSleepIn = (_ms: number) => {};

	const sleep = async (ms: number) => {
		const { promise: ended, resolve } = Promise.withResolvers<void>();
		let timer = setTimeout(resolve, ms);
		endSleepIn = ms => {
			clearTimeout(timer);
			timer = setTimeout(resolve, ms);
		};
		await ended;
		endSleepIn = () => {};
	};

	const round = async () => {
		// If it ends later, it may overlap the next round: each locks the queues before it decides.
		const done = await deadlineIn(timeoutMs).bound(store.admit(node), "Postgres");
		for (const { showId, places } of done.opened) logger.info("opened a queue", { show: showId, joinedBefore: places });
		if (done.admitted.length > 0) logger.debug(`admitted: ${done.admitted.map(({ userId }) => userId).join(" ")}`);
		if (isFailing) logger.info("admission from the queues continues");
		isFailing = false;
		succeededAtMs = performance.now();
		backoff.reset();
		isLeader = done.isLeader;
		const pauseMs = pauseAfter(done, pauses);
		return isWoken && isLeader ? Math.min(pauseMs, pauses.leastMs) : pauseMs;
	};
	const afterFailure = ({ message }: Error) => {
		if (!isFailing) logger.warn(`nobody can be admitted from the queues (${message}); retrying`);
		isFailing = true;
		isLeader = false;
		return backoff.nextMs();
	};

	const run = async () => {
		while (!isStopping) {
			isWoken = false;
			beganAtMs = performance.now();
			const pauseMs = await round().catch(afterFailure);
			if (!isStopping) await sleep(pauseMs);
		}
		await store.release(node).catch(() => {});
	};

	const running = run();
	return {
		wake() {
			isWoken = true;
			if (isLeader) endSleepIn(Math.max(0, beganAtMs + pauses.leastMs - performance.now()));
		},
		/** For a health check. */
		async check() {
			const silentMs = performance.now() - succeededAtMs;
			return silentMs < LATE_MS ? "ok" : `no admission from the queues of shows for ${Math.round(silentMs / 1_000)} s`;
		},
		async stop() {
			isStopping = true;
			endSleepIn(0);
			await waitAtMost(running, STOP_MS);
		}
	};
}
