// Loops of one process that sleep until their next poll wake together, so that their polls are one statement (shared-statement.ts).

export interface Sleep {
	ended: Promise<void>;
	/** Ends this sleep, and no other. */
	end(): void;
}

/**
 * Each sleep ends after its time, and earlier if another one ends after more than half of it. `clock`: monotonic, in ms.
 */
export function sharedSleep(clock = () => performance.now()): (ms: number) => Sleep {
	const sleepers = new Set<{ startMs: number; ms: number; end: () => void }>();
	let timer: ReturnType<typeof setTimeout> | undefined;
	let timerEndMs = Number.POSITIVE_INFINITY;

	const arm = () => {
		const firstEndMs = Math.min(...[...sleepers].map(({ startMs, ms }) => startMs + ms));
		// Most sleeps end early: a timer that is due earlier than needed stays, which costs less than a new one for each.
		if (sleepers.size > 0 && timerEndMs <= firstEndMs) return;
		clearTimeout(timer);
		timerEndMs = firstEndMs;
		if (sleepers.size > 0) timer = setTimeout(endDue, Math.max(0, Math.ceil(firstEndMs - clock())));
	};
	const endDue = () => {
		timerEndMs = Number.POSITIVE_INFINITY;
		const nowMs = clock();
		const all = [...sleepers];
		if (all.some(({ startMs, ms }) => nowMs - startMs >= ms))
			for (const { startMs, ms, end } of all) if (nowMs - startMs >= ms / 2) end();
		arm();
	};

	return ms => {
		const { promise: ended, resolve } = Promise.withResolvers<void>();
		const sleeper = {
			startMs: clock(),
			ms,
			end: () => {
				sleepers.delete(sleeper);
				resolve();
			}
		};
		sleepers.add(sleeper);
		arm();
		return {
			ended,
			end() {
				sleeper.end();
				arm();
			}
		};
	};
}

const sleeps = new WeakMap<object, ReturnType<typeof sharedSleep>>();

/** The common sleep of all loops that poll this database. */
export function sharedSleepOf(database: object) {
	const known = sleeps.get(database) ?? sharedSleep();
	sleeps.set(database, known);
	return known;
}
