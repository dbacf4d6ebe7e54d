/**
 * Does something when it is asked for, one at a time, and not again before a while has passed, however often it is asked for meanwhile.
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
