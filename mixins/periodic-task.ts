/**
 * Runs a task periodically, never concurrently; a failure is logged and retried at the next tick. An error never ends the process, also not one that a
 * task without a promise throws.
 *
 *     started() { this.sweep = periodicTask(() => store.sweep(), { everyMs: 60_000, logger: this.logger, what: "deleting old rows" }); },
 *     stopped() { return this.sweep?.stop(); }
 */
import type { Logger } from "moleculer";

export interface PeriodicTaskOptions {
	everyMs: number;
	logger: Pick<Logger, "warn">;
	/** What the task does, for the log line of a failure: `deleting old rows`. */
	what: string;
}

/** `stop` waits for a run in progress. The timer does not keep the process alive. */
export function periodicTask(task: () => unknown, { everyMs, logger, what }: PeriodicTaskOptions) {
	let running: Promise<void> | undefined;
	const onFailure = (error: Error) => logger.warn(`${what} failed (${error.message}); retrying in ${everyMs} ms`);
	const run = () => {
		const result = task();
		if (!(result instanceof Promise)) return;
		running = result
			.then(() => {}, onFailure)
			.finally(() => {
				running = undefined;
			});
	};
	const timer = setInterval(() => {
		if (running) return;
		try {
			run();
		} catch (error) {
			onFailure(error as Error);
		}
	}, everyMs).unref();
	return {
		async stop() {
			clearInterval(timer);
			await running;
		}
	};
}
