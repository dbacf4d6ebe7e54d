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

	const arm = () => {
		clearTimeout(timer);
		if (sleepers.size === 0) return;
		const firstEndMs = Math.min(...[...sleepers].map(({ startMs, ms }) => startMs + ms));
		timer = setTimeout(endRipe, Math.max(0, firstEndMs - clock()));
	};
	const endRipe = () => {
		const nowMs = clock();
		for (const { startMs, ms, end } of [...sleepers]) if (nowMs - startMs >= ms / 2) end();
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
