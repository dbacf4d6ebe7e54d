/**
 * Does something when it is asked for, one at a time, and not again before a while has passed, however often it is asked for meanwhile.
 * @param {number} gapMs
 * @param {() => Promise<void>} task
 */
export function atMostEvery(gapMs, task) {
	let isAsked = false;
	let isBusy = false;

	async function work() {
		isBusy = true;
		while (isAsked) {
			isAsked = false;
			await task().catch(() => {});
			await new Promise(resolve => setTimeout(resolve, gapMs));
		}
		isBusy = false;
	}

	return {
		soon: () => {
			isAsked = true;
			if (!isBusy) void work();
		}
	};
}
