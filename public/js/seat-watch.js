// Keeps the seats of one show up to date: a whole map, then each change in the order of the versions. Where a change is missing, the whole map is
// read again. Without a live connection the map is read every few seconds.
import { createLiveList } from "./live-list.js";
import { FINAL, Refused, Unavailable } from "./retry.js";

/** A live connection is usually there before this. */
const FIRST_READ_MS = 1_500;
const READ_EVERY_MS = 8_000;

/**
 * @param {object} options
 * @param {string} options.showId
 * @param {(event: string, payload: object) => Promise<{ ok: boolean, seats?: object, error?: { type: string } }>} options.ask sends a Socket.IO event
 * @param {(path: string) => Promise<object>} options.get
 * @param {(map: object) => void} options.onMap
 * @param {(update: object) => boolean} options.onUpdate returns false if a change before it is missing
 * @param {(message: string) => void} options.showProblem
 */
export function watchSeats({ showId, ask, get, onMap, onUpdate, showProblem }) {
	let isLive = false;
	/** A change is missing: further changes are in the map that is being read. */
	let isBehind = false;
	let timer;

	async function subscribe() {
		const answer = await ask("subscribe:seats", { showId });
		if (answer.ok) return answer.seats;
		const type = answer.error?.type;
		if (FINAL.has(type)) throw new Refused("This show cannot be watched.", [], type);
		throw new Unavailable("not subscribed");
	}

	const list = createLiveList({
		read: () => (isLive ? subscribe() : get(`/api/shows/${encodeURIComponent(showId)}/seats`)),
		show: map => {
			isBehind = false;
			onMap(map);
		},
		showProblem
	});

	function readLater(ms) {
		clearTimeout(timer);
		timer = setTimeout(() => {
			if (document.visibilityState === "visible") void list.readAgain();
			readLater(READ_EVERY_MS * (0.75 + Math.random() / 2));
		}, ms);
	}

	return {
		connected: () => {
			isLive = true;
			clearTimeout(timer);
			void list.readAgain();
		},
		lost: () => {
			isLive = false;
			readLater(FIRST_READ_MS);
		},
		updated: update => {
			if (update.showId !== showId) return;
			list.apply(() => {
				if (isBehind || onUpdate(update)) return;
				isBehind = true;
				void list.readAgain();
			});
		},
		/** The server has contradicted the map: without a live connection it may be old. */
		readIfOld: () => {
			if (!isLive) void list.readAgain();
		},
		close: () => {
			clearTimeout(timer);
			list.close();
			if (isLive) ask("unsubscribe:seats", { showId }).catch(() => {});
		}
	};
}
