// Virtual time: while it is installed, the scheduler controls every timer, every clock and every random id of this process.
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import { currentActor, type Scheduler } from "./scheduler.ts";

interface Timer {
	cancel: () => void;
	unref(): Timer;
	ref(): Timer;
}
type Callback = (...args: unknown[]) => void;

/** For timers that are older than the virtual clock. */
const realClearTimeout = clearTimeout;

const timerOf = (cancel: () => void): Timer => {
	const timer = { cancel, unref: () => timer, ref: () => timer };
	return timer;
};

function fakes({ after, nowMs, random }: Scheduler) {
	const startMs = nowMs();
	const setTimeout = (work: Callback, ms = 0, ...args: unknown[]) =>
		timerOf(after(Math.max(1, Math.ceil(ms)), "timer", () => work(...args)));
	const clear = (timer?: Timer | NodeJS.Timeout) => {
		if (timer && "cancel" in timer) timer.cancel();
		else realClearTimeout(timer);
	};
	const setInterval = (work: Callback, ms: number) => {
		const schedule = () => {
			timer.cancel = after(ms, "interval", () => {
				schedule();
				work();
			});
		};
		const timer: Timer = timerOf(() => {});
		schedule();
		return { unref: () => timer, ref: () => timer, cancel: () => timer.cancel() };
	};
	const delay = (ms?: number, value?: unknown, { signal }: { signal?: AbortSignal } = {}) =>
		new Promise((resolve, reject) => {
			const aborted = () => {
				clear(timer);
				reject(signal?.reason);
			};
			const timer = setTimeout(() => {
				signal?.removeEventListener("abort", aborted);
				resolve(value);
			}, ms);
			if (signal?.aborted) aborted();
			else signal?.addEventListener("abort", aborted, { once: true });
		});
	return {
		global: {
			setTimeout,
			setInterval,
			setImmediate: (work: Callback, ...args: unknown[]) => timerOf(after(0, "immediate", () => work(...args))),
			clearTimeout: clear,
			clearInterval: clear,
			clearImmediate: clear
		},
		Date: { now: () => nowMs() + (currentActor()?.skewMs ?? 0) },
		performance: { now: () => nowMs() - startMs },
		Math: { random: random.next },
		crypto: { randomUUID: random.uuid },
		timers: { setTimeout: delay }
	};
}

/** Replaces the process's timers, clocks and random sources by the scheduler's. Returns a function that restores them. */
export function installClock(scheduler: Scheduler): () => void {
	const fake = fakes(scheduler);
	const places: [object, object][] = [
		[globalThis, fake.global],
		[Date, fake.Date],
		[performance, fake.performance],
		[Math, fake.Math],
		[crypto, fake.crypto],
		[timers, fake.timers]
	];
	const real = places.map(([place, names]) =>
		Object.fromEntries(Object.keys(names).map(name => [name, place[name as keyof typeof place]]))
	);
	for (const [place, names] of places) Object.assign(place, names);
	syncBuiltinESMExports();
	return () => {
		places.forEach(([place], n) => {
			Object.assign(place, real[n]);
		});
		syncBuiltinESMExports();
	};
}
