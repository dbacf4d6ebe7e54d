// How a process of Plaza stops: with 0, within 10 s and in any state, when it gets SIGINT or SIGTERM or the process that started it has ended.

/** A stop must take at most 10 s: half a second is left for exiting. */
const STOP_TIMEOUT_MS = 9_500;

let finish: () => Promise<unknown> = async () => {};
let isStopping = false;

/** Sets what must be finished before the process may exit. Before the first call there is nothing. */
export function finishBeforeExit(work: () => Promise<unknown>) {
	finish = work;
}

/** Finishes what was accepted and ends the process. A second call changes nothing: a second Ctrl-C must not cut off the first one's stop. */
export async function stopProcess(): Promise<void> {
	if (isStopping) return;
	isStopping = true;
	// Later the supervisor would send SIGKILL. Exiting here loses nothing that was acknowledged: unfinished work is durable and is redelivered.
	setTimeout(() => process.exit(0), STOP_TIMEOUT_MS);
	await finish();
	process.exit(0);
}

export function stopOnSignals() {
	for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stopProcess);
}
