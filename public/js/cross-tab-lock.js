// One at a time, over all tabs of this browser.
import { freshId } from "./id.js";
import { read, remove, write } from "./storage.js";

const NAME = "plaza/turn";
/** What a page that is gone has left under way is answered by then: the server gives itself no longer. */
const MARK_TTL_MS = 5_000;
const POLL_MS = 50;

/** Whether this page is being left: then a request with `keepalive` fails for it, and goes on all the same. */
let isPageHidden = false;
addEventListener("pagehide", () => {
	isPageHidden = true;
});
addEventListener("pageshow", () => {
	isPageHidden = false;
});

/**
 * Runs `work` while no other tab does. A page that is reloaded loses its lock at once, but a request of its with `keepalive` goes on: so each turn
 * leaves a mark until it is over, and one that nobody can take away any more is respected for a while.
 * @template Answer
 * @param {() => Promise<Answer>} work
 * @returns {Promise<Answer>}
 */
export function withCrossTabLock(work) {
	const marked = async () => {
		const mark = await writeMark();
		try {
			return await work();
		} finally {
			if (!isPageHidden && read(NAME) === mark) remove(NAME);
		}
	};
	// There are none where the page was not loaded over HTTPS or from this machine: the mark has to do.
	return navigator.locks ? navigator.locks.request(NAME, marked) : marked();
}

async function writeMark() {
	for (;;) {
		const restMs = markValidForMs(read(NAME));
		if (restMs > 0) {
			await pause(Math.min(restMs, POLL_MS));
			continue;
		}
		const mark = `${Date.now()} ${freshId()}`;
		write(NAME, mark);
		// Without locks two tabs may get here together: the turn is the last writer's.
		if (!navigator.locks) await pause(POLL_MS);
		if (read(NAME) === mark) return mark;
	}
}

/** A mark from the future is one from before the clock was set back. */
function markValidForMs(mark) {
	const ageMs = Date.now() - Number.parseInt(mark ?? "0", 10);
	return ageMs >= 0 ? MARK_TTL_MS - ageMs : 0;
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
