// One open show: its map, the seats that the user picks, and holding them.
import { announce, element } from "./page.js";
import { createPickPanel } from "./pick-panel.js";
import { createSeatCounts } from "./seat-counts.js";
import { createHolding } from "./seat-holding.js";
import { showStates } from "./seat-legend.js";
import { createSeatMap } from "./seat-map.js";
import { createPick, MAX_PICKED } from "./seat-pick.js";
import { createSeatStore } from "./seat-store.js";
import { dateText, namesText, refusalText, seatsText, seatText } from "./seat-words.js";
import { toast } from "./toasts.js";

const HINT = "Click a seat, or use arrow keys and Enter.";

/**
 * @param {object} options
 * @param {() => void} options.askToSignIn
 * @param {(holdId: string) => void} options.onHeld seats were held here
 * @param {() => void} options.onNotAdmitted the server refused a hold because the user is not admitted
 */
export function createShowView({ askToSignIn, onHeld, onNotAdmitted }) {
	const store = createSeatStore();
	const counts = createSeatCounts(store);
	let show;
	let session;
	let mayHold = true;
	let bought = new Set();
	/** The names that were painted as picked or as the account's own. */
	let marked = [];

	function stateOf(name) {
		if (bought.has(name)) return "bought";
		if (session.own.isHeld(show.showId, name)) return "mine";
		if (holding.isSending(name)) return "picked";
		const { status } = store.get(name);
		return status === "free" && pick.has(name) ? "picked" : status;
	}

	const map = createSeatMap({
		frame: element("frame"),
		store,
		stateOf,
		textOf: name => seatText(store.get(name), stateOf(name)),
		onPick: toggle,
		onPoint: name => {
			element("seat-info").textContent = name === undefined ? HINT : seatText(store.get(name), stateOf(name));
		}
	});
	const pick = createPick(() => {
		paintMarked();
		panel.show(pick.names().map(store.get));
	});
	const panel = createPickPanel({
		elements: {
			card: element("pick"),
			list: element("picked"),
			form: element("hold"),
			sum: element("sum"),
			problem: element("pick-problem"),
			waiting: element("pick-waiting"),
			bestForm: element("best-seats")
		},
		onRemove: name => pick.remove([name]),
		onHold: hold
	});

	const holding = createHolding({
		pick,
		showProblem: panel.showProblem,
		onNotAdmitted,
		onHeld: ({ holdId, seats }) => {
			announce("pick", `held for you: ${namesText(seats)}`);
			onHeld(holdId);
		},
		toast
	});

	function paintMarked() {
		const own = session.own.holds().filter(({ showId }) => showId === show?.showId);
		const now = [...pick.names(), ...bought, ...own.flatMap(({ seats }) => seats)];
		map.paint([...new Set([...marked, ...now])].filter(store.get));
		marked = now;
	}

	function toggle(name) {
		const state = stateOf(name);
		const { seat } = store.get(name);
		if (state !== "free" && state !== "picked") return announce("pick", seatText(store.get(name), state));
		if (!pick.toggle(name)) return panel.showProblem(`Pick at most ${MAX_PICKED} seats at once.`);
		announce("pick", `${seat} ${state === "free" ? "picked" : "removed"}, ${seatsText(pick.names().length)} picked`);
	}

	/** @param {string[] | undefined} names the seats that changed; undefined: all */
	function changed(names) {
		if (names) map.paint(names);
		else {
			marked = [];
			panel.showCategories(store.categories());
			map.draw();
		}
		holding.dropTaken(pick.names().filter(name => !holding.isSending(name) && store.get(name)?.status !== "free"));
		if (!names || names.length > 0) counts.soon();
	}

	async function hold(wanted) {
		if (session.isGuest) return askToSignIn();
		if (!mayHold) return panel.showProblem(refusalText({ type: "NOT_ADMITTED" }));
		const { showId } = show;
		await holding.hold(session, showId, wanted, () => show.showId === showId);
		paintMarked();
	}

	for (const button of ["larger", "smaller", "fit"]) element(button).addEventListener("click", () => map[button]());
	element("seat-info").textContent = HINT;
	showStates(element("states"));

	return {
		/** Shows a show, also the same one to another user; what was picked stays for the same show. */
		open: (nowShow, nowSession) => {
			const isOther = nowShow.showId !== show?.showId;
			if (isOther) pick.remove(pick.names());
			[show, session] = [nowShow, nowSession];
			if (isOther) changed(store.read({ showId: show.showId, version: -1, seats: [] }));
			element("show-name").textContent = show.name;
			element("show-about").textContent = `${dateText(show.startsAt)} · ${seatsText(show.seatCount)}`;
			session.watch(show.showId, {
				onMap: seats => changed(store.read(seats)),
				onUpdate: update => {
					const names = store.apply(update);
					if (names) changed(names);
					return names !== undefined;
				},
				showProblem: text => {
					element("map-problem").textContent = text;
				}
			});
		},
		setMayHold: may => {
			mayHold = may;
		},
		/** The account's own seats have changed. */
		showOwnSeats: () => {
			const tickets = session?.own.tickets().filter(({ showId }) => showId === show?.showId) ?? [];
			bought = new Set(tickets.flatMap(({ seats }) => seats));
			if (session) paintMarked();
		}
	};
}
