/**
 * Runs a task on request, never concurrently and at most once per `gapMs`; requests in between share the next run.
 * @param {number} gapMs
 * @param {() => Promise<void>} task
 */
export function throttle(gapMs, task) {
	let isRequested = false;
	let isBusy = false;

	async function work() {
		isBusy = true;
		while (isRequested) {
			isRequested = false;
			await task().catch(() => {});
			await new Promise(resolve => setTimeout(resolve, gapMs));
		}
		isBusy = false;
	}

	return {
		soon: () => {
			isRequested = true;
			if (!isBusy) void work();
		}
	};
}
