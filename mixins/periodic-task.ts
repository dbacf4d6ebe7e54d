/**
 * Housekeeping of a service: a work that is done again and again, one at a time. What fails is said, and left to the next time.
 *
 *     started() { this.sweeping = nowAndThen(() => store.sweep(), { everyMs: 60_000, logger: this.logger, what: "old rows" }); },
 *     stopped() { return this.sweeping?.stop(); }
 */
import type { Logger } from "moleculer";

export interface PeriodicTaskOptions {
	everyMs: number;
	logger: Pick<Logger, "warn">;
	/** What stays undone for now, for the line that says so. */
	what: string;
}

/** `stop` waits for what is under way, and does not keep the process alive before that. */
export function periodicTask(work: () => Promise<unknown>, { everyMs, logger, what }: PeriodicTaskOptions) {
	let doing: Promise<void> | undefined;
	const timer = setInterval(() => {
		doing ??= work()
			.then(
				() => {},
				(error: Error) => logger.warn(`${what} stay for now (${error.message})`)
			)
			.finally(() => {
				doing = undefined;
			});
	}, everyMs).unref();
	return {
		async stop() {
			clearInterval(timer);
			await doing;
		}
	};
}
