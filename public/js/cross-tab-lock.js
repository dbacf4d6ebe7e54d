// A lock over all tabs of this browser.
import { freshId } from "./id.js";
import { read, remove, write } from "./storage.js";

const NAME = "plaza/turn";
/** A request of a closed page is answered within this time: it is the server's own limit. */
const MARK_TTL_MS = 5_000;
const POLL_MS = 50;

/** While the page unloads, a request with `keepalive` fails here although the server still handles it. */
let isPageHidden = false;
addEventListener("pagehide", () => {
	isPageHidden = true;
});
addEventListener("pageshow", () => {
	isPageHidden = false;
});

/**
 * Runs `work` while no other tab does. A reloaded page releases its lock at once although its `keepalive` request continues. Therefore each
 * holder also writes a mark into storage; a mark that its page could not remove is respected until it expires.
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
	// The Web Locks API exists only in secure contexts; elsewhere the mark alone is the lock.
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
		// Without Web Locks two tabs may write at the same time: the last writer holds the lock.
		if (!navigator.locks) await pause(POLL_MS);
		if (read(NAME) === mark) return mark;
	}
}

/** A mark from the future was written before the clock was set back: it has expired. */
function markValidForMs(mark) {
	const ageMs = Date.now() - Number.parseInt(mark ?? "0", 10);
	return ageMs >= 0 ? MARK_TTL_MS - ageMs : 0;
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
