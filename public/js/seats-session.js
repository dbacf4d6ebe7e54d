// The data of the shows page for one user: the list of shows, the seats of one of them, and what the account holds.
import { freshId } from "./id.js";
import { openLive } from "./live.js";
import { createLiveList, readList } from "./live-list.js";
import { createOwnSeats } from "./own-seats.js";
import { showConnection } from "./page.js";
import { openRequests } from "./requests.js";
import { watchSeats } from "./seat-watch.js";

const PAGE = 200;
/** No event reports a new show. */
const SHOWS_EVERY_MS = 30_000;
/** A show of 20,000 seats is a large request. */
const CREATE_TIMEOUT_MS = 30_000;
const pathOf = (showId, rest = "") => `/api/shows/${encodeURIComponent(showId)}${rest}`;

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {object} options.view
 * @param {(list: { items: object[], hasMore: boolean }) => void} options.view.showShows
 * @param {() => void} options.view.showOwnSeats
 * @param {(hold: object) => void} options.view.holdExpired
 * @param {(place: object) => void} options.view.updatePlace
 * @param {(text: string) => void} options.view.showProblem
 * @param {(text: string) => void} options.view.showHoldsProblem
 */
export function openSeatsSession({ who, view }) {
	const isGuest = who.role === undefined;
	const requests = openRequests(who);
	const { once, get, untilDone } = requests;
	const own = createOwnSeats({
		who,
		requests,
		onExpired: view.holdExpired,
		onChange: view.showOwnSeats,
		showProblem: view.showHoldsProblem
	});
	const known = new Map();
	let wanted = PAGE;
	let isLive = false;
	let watch;

	const shows = createLiveList({
		read: () => readList(get, "/api/shows?", ({ showId }) => showId, wanted),
		show: list => {
			for (const show of list.items) known.set(show.showId, show);
			view.showShows(list);
		},
		showProblem: view.showProblem
	});
	const readAgain = () => {
		void shows.readAgain();
		own.readAgain();
	};

	const live = openLive({
		who,
		isDashboard: false,
		events: {
			"seats:updated": update => watch?.updated(update),
			"hold:expired": own.expire,
			"queue:updated": view.updatePlace
		},
		onConnected: () => {
			isLive = true;
			showConnection("live", "live");
			watch?.connected();
			readAgain();
		},
		onLost: () => {
			isLive = false;
			showConnection("waiting", "reconnecting");
			watch?.lost();
		},
		onRefused: () => showConnection(isGuest ? "off" : "refused", "not live")
	});

	const closing = new AbortController();
	const isVisible = () => document.visibilityState === "visible";
	// Another tab may have held or released seats: no event reports that.
	document.addEventListener("visibilitychange", () => isVisible() && own.readAgain(), { signal: closing.signal });
	const timer = setInterval(() => isVisible() && void shows.readAgain(), SHOWS_EVERY_MS);
	readAgain();

	return {
		isGuest,
		id: who.id,
		own,
		moreShows: () => {
			wanted += PAGE;
			return shows.readAgain();
		},
		/** Resolves to the show; undefined if there is none. */
		showOf: async showId => {
			if (known.has(showId)) return known.get(showId);
			try {
				known.set(showId, await untilDone("GET", pathOf(showId)));
			} catch (error) {
				// An address with something that cannot be an id is not valid.
				if (!["NOT_FOUND", "VALIDATION_ERROR"].includes(error.type)) throw error;
			}
			return known.get(showId);
		},
		/** Watches the seats of one show instead of the one before; see `watchSeats`. */
		watch: (showId, callbacks) => {
			// A show that was still being looked up when the session was closed.
			if (closing.signal.aborted) return;
			watch?.close();
			watch = watchSeats({ showId, ask: live.ask, get, ...callbacks });
			if (isLive) watch.connected();
			else watch.lost();
		},
		unwatch: () => {
			watch?.close();
			watch = undefined;
		},
		readSeatsIfOld: () => watch?.readIfOld(),
		/** Holds seats; retries under one key until there is an answer. Rejects with `Refused`. */
		hold: async (showId, body) => {
			const hold = await untilDone("POST", pathOf(showId, "/holds"), { body, idempotencyKey: freshId() });
			own.put(hold);
			return hold;
		},
		/** Joins the queue, or reads the own place in it. */
		join: showId => once("POST", pathOf(showId, "/queue")),
		createShow: async show => {
			const made = await once("POST", "/api/shows", { body: show, timeoutMs: CREATE_TIMEOUT_MS });
			known.set(made.showId, made);
			void shows.readAgain();
			return made;
		},
		close: () => {
			closing.abort();
			clearInterval(timer);
			requests.close();
			shows.close();
			own.close();
			watch?.close();
			// Closing the connection reports its loss.
			watch = undefined;
			live.close();
			return 0;
		}
	};
}
