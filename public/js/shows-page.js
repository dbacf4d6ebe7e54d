// The shows: a list, and the seat map of the one that the address names (`#/<showId>`).
import { createAnnouncer } from "./announcer.js";
import { createHoldsPanel } from "./holds-panel.js";
import { serverNowMs } from "./http.js";
import { announce, element, openPage } from "./page.js";
import { createQueuePanel } from "./queue-panel.js";
import { createRows } from "./rows.js";
import { dateText, namesText, seatsText } from "./seat-words.js";
import { openSeatsSession } from "./seats-session.js";
import { createShowForm } from "./show-form.js";
import { createShowView } from "./show-view.js";
import { toast } from "./toasts.js";

const IN_SHOW = ["show", "pick", "best"];
let session;
let isAdmin = false;

const askToSignIn = () => page.askToSignIn();
const showIdOfAddress = () => new URLSearchParams(`id=${location.hash.replace("#/", "")}`).get("id");
const addressOf = showId => `#/${encodeURIComponent(showId)}`;

function showProblem(text) {
	element("problem").textContent = text;
}

const showRows = createRows({
	list: element("shows"),
	idOf: ({ showId }) => showId,
	make: ({ showId, name, startsAt, seatCount, queue }) => {
		const row = element("show-row").content.cloneNode(true).firstElementChild;
		row.dataset.show = showId;
		row.querySelector("a").href = addressOf(showId);
		row.querySelector("a").textContent = name;
		const about = [dateText(startsAt), seatsText(seatCount), ...(queue ? [`with a queue from ${dateText(queue.opensAt)}`] : [])];
		row.querySelector(".about").textContent = about.join(" · ");
		return { element: row, show: () => {} };
	}
});

const holdsPanel = createHoldsPanel({
	title: element("mine-title"),
	list: element("holds"),
	template: element("hold-row"),
	nowMs: serverNowMs,
	showOf: showId => session.showOf(showId),
	confirm: async hold => {
		if (await session.own.confirm(hold)) toast(`Bought: ${namesText(hold.seats)}`);
	},
	release: hold => session.own.release(hold),
	onTimeUp: () => session.own.readAgain(),
	announce
});

const view = createShowView({
	askToSignIn,
	onHeld: holdsPanel.focus,
	onNotAdmitted: () => queue.refused()
});

const queue = createQueuePanel({
	elements: {
		card: element("queue"),
		place: element("queue-place"),
		ahead: element("queue-ahead"),
		text: element("queue-text"),
		problem: element("queue-problem"),
		button: element("join")
	},
	askToSignIn,
	nowMs: serverNowMs,
	announce,
	announceRarely: createAnnouncer(element("seat-announcements"), 15_000),
	onChange: view.setMayHold
});

createShowForm({
	form: element("plan"),
	preview: element("preview"),
	previewText: element("preview-text"),
	blocks: { list: element("blocks"), template: element("block"), add: element("add-block") },
	add: async show => {
		const { showId } = await session.createShow(show);
		location.hash = addressOf(showId);
	}
});

function showOwnSeats() {
	holdsPanel.show(session.own.holds(), session.own.tickets());
	view.showOwnSeats();
}

/** Shows what the address names: one show, or the list. */
async function route({ isMoved }) {
	const showId = showIdOfAddress();
	const mine = session;
	for (const id of IN_SHOW) element(id).hidden = showId === "";
	element("lobby").hidden = showId !== "";
	element("new-show").hidden = showId !== "" || !isAdmin;
	showProblem("");
	if (isMoved) scrollTo(0, 0);
	if (showId === "") {
		if (isMoved) element("shows-title").focus();
		queue.open(undefined, mine);
		mine.unwatch();
		return;
	}
	// Only after a step of the user: not when the page is opened.
	if (isMoved) element("show-name").focus();
	try {
		const show = await mine.showOf(showId);
		if (mine !== session || showId !== showIdOfAddress()) return;
		if (show) {
			view.open(show, mine);
			queue.open(show, mine);
			showOwnSeats();
			return;
		}
		toast("There is no such show", "alert");
		history.replaceState(undefined, "", location.pathname);
		void route({ isMoved });
	} catch {
		// The session was closed meanwhile.
	}
}

const page = openPage({
	guestName: "guest",
	enter: who => {
		isAdmin = who.role === "admin";
		session = openSeatsSession({
			who,
			view: {
				showShows: ({ items, hasMore }) => {
					showRows(items);
					element("more").hidden = !hasMore;
				},
				showOwnSeats,
				holdExpired: ({ seats }) => toast(`Your time for ${namesText(seats)} is over`, "alert"),
				updatePlace: queue.update,
				showProblem,
				showHoldsProblem: text => {
					element("holds-problem").textContent = text;
				}
			}
		});
		element("mine").hidden = session.isGuest;
		showOwnSeats();
		void route({ isMoved: false });
		return session;
	}
});

addEventListener("hashchange", () => void route({ isMoved: true }));
element("more").addEventListener("click", () => session.moreShows());
