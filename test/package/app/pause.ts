// Lets a test stop the process in the middle of handling: PAUSE_AT="charging 5" prints `paused at charging` when a handler gets there for the
// fifth time, and no handler goes on from there.
const [place, count] = (process.env.PAUSE_AT ?? "").split(" ");
const reached = new Map<string, number>();

export async function reach(here: string) {
	const times = (reached.get(here) ?? 0) + 1;
	reached.set(here, times);
	if (here !== place || times < Number(count)) return;
	console.log(`paused at ${here}`);
	await new Promise(() => {});
}
