// The seats of this account: open holds with the time that is left, and what was bought.
import { formatAmount } from "./amount.js";
import { Refused } from "./retry.js";
import { createRows } from "./rows.js";
import { namesText, refusalText, restText } from "./seat-words.js";

const TICK_MS = 1_000;
const WARN_AT_S = [60, 10];

/**
 * @param {object} options
 * @param {HTMLElement} options.title gets the focus of a row that disappears: on another hold's buttons, a second press would buy or release it
 * @param {HTMLElement} options.list
 * @param {HTMLTemplateElement} options.template
 * @param {() => number} options.nowMs the server's time
 * @param {(showId: string) => Promise<{ name: string } | undefined>} options.showOf
 * @param {(hold: object) => Promise<void>} options.confirm rejects with `Refused`
 * @param {(hold: object) => Promise<void>} options.release rejects with `Refused`
 * @param {(hold: object) => void} options.onTimeUp the time of a hold is over by this page's clock
 * @param {(topic: string, text: string) => void} options.announce
 */
export function createHoldsPanel({ title, list, template, nowMs, showOf, confirm, release, onTimeUp, announce }) {
	/** Ticks of the open holds, by id. */
	const ticks = new Map();

	function makeRow(first) {
		const element = template.content.cloneNode(true).firstElementChild;
		const part = name => element.querySelector(`.${name}`);
		const problem = element.querySelector("[role=alert]");
		const buttons = [part("confirm"), part("release")];
		const names = namesText(first.seats);
		let lastS;

		element.dataset.hold = first.holdId;
		part("names").textContent = first.seats.join(", ");
		part("total").textContent = formatAmount(first.total);
		for (const of of element.querySelectorAll(".of")) of.textContent = names;
		part("about").href = `#/${encodeURIComponent(first.showId)}`;
		showOf(first.showId).then(
			show => {
				if (show) part("about").textContent = show.name;
			},
			() => {}
		);

		/** Uses `aria-disabled`: `disabled` would remove the focus. */
		async function press(act) {
			if (buttons[0].getAttribute("aria-disabled") === "true") return;
			for (const button of buttons) button.setAttribute("aria-disabled", "true");
			problem.textContent = "";
			try {
				await act(first);
			} catch (error) {
				if (error instanceof Refused) problem.textContent = refusalText(error);
			} finally {
				for (const button of buttons) button.removeAttribute("aria-disabled");
			}
		}
		part("confirm").addEventListener("click", () => void press(confirm));
		part("release").addEventListener("click", () => void press(release));

		function tick() {
			const restMs = Date.parse(first.expiresAt) - nowMs();
			const seconds = Math.floor(restMs / 1000);
			part("time").textContent = restMs > 0 ? restText(restMs) : "over";
			element.dataset.soon = String(seconds < WARN_AT_S[0]);
			for (const warnS of WARN_AT_S)
				if (lastS > warnS && seconds <= warnS) announce(first.holdId, `${warnS} seconds left for ${names}`);
			if (restMs <= 0 && (lastS === undefined || lastS > 0)) onTimeUp(first);
			lastS = Math.max(seconds, 0);
		}

		function show({ isBought }) {
			element.dataset.state = isBought ? "bought" : "held";
			for (const button of buttons) {
				if (isBought && document.activeElement === button) element.focus();
				button.hidden = isBought;
			}
			if (isBought) {
				ticks.delete(first.holdId);
				part("label").textContent = "bought";
				part("time").textContent = "";
			} else if (!ticks.has(first.holdId)) {
				ticks.set(first.holdId, tick);
				tick();
			}
		}
		return { element, show };
	}

	const showRows = createRows({ list, idOf: ({ holdId }) => holdId, make: makeRow });
	setInterval(() => {
		for (const tick of ticks.values()) tick();
	}, TICK_MS);

	return {
		/** Shows these holds, and what was bought. */
		show: (holds, bought) => {
			const ids = new Set(holds.map(({ holdId }) => holdId));
			for (const id of ticks.keys()) if (!ids.has(id)) ticks.delete(id);
			const focused = document.activeElement;
			const hadFocus = list.contains(focused);
			showRows([...holds, ...bought.map(one => ({ ...one, isBought: true }))]);
			if (!hadFocus || document.activeElement !== document.body) return;
			// A row that was moved is still there.
			focused.focus();
			if (document.activeElement === document.body) title.focus();
		},
		/** Moves the focus to the hold, so that the next step is at hand. */
		focus: holdId => list.querySelector(`[data-hold="${CSS.escape(holdId)}"] .confirm`)?.focus()
	};
}
