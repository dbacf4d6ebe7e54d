// The picked seats, and the two ways to hold seats: those that were picked, and the best ones together.
import { formatAmount } from "./amount.js";
import { make, visuallyHidden } from "./element.js";
import { createRows } from "./rows.js";
import { MAX_PICKED } from "./seat-pick.js";
import { priceRangeText, seatsText, sumOf } from "./seat-words.js";

const SLOW_AFTER_MS = 3_000;
const SLOW = "Plaza cannot be reached right now. Your request is being sent again, and counts once.";

/**
 * @param {object} options
 * @param {Record<"card" | "list" | "form" | "sum" | "problem" | "waiting" | "bestForm", HTMLElement>} options.elements
 * @param {(name: string) => void} options.onRemove
 * @param {(wanted: { seats: string[] } | { best: { count: number, category?: string } }) => Promise<void>} options.onHold
 */
export function createPickPanel({ elements, onRemove, onHold }) {
	const { card, list, form, sum, problem, waiting, bestForm } = elements;
	const { count, category } = bestForm.elements;
	const buttons = [form, bestForm].map(({ elements: [...all] }) => all.at(-1));
	let names = [];
	let isBusy = false;

	const showChips = createRows({
		list,
		idOf: ({ seat }) => seat,
		make: ({ seat }) => {
			const button = make("button", { class: "plain chip", type: "button" }, visuallyHidden("Remove "), seat);
			button.addEventListener("click", () => {
				// The next chip gets the focus of the one that disappears.
				const item = button.parentElement;
				const next = item.nextElementSibling ?? item.previousElementSibling;
				onRemove(seat);
				next?.querySelector("button").focus();
			});
			return { element: make("li", {}, button), show: () => {} };
		}
	});

	async function hold(wanted) {
		if (isBusy) return;
		isBusy = true;
		problem.textContent = "";
		for (const button of buttons) button.setAttribute("aria-disabled", "true");
		const timer = setTimeout(() => {
			waiting.textContent = SLOW;
		}, SLOW_AFTER_MS);
		try {
			await onHold(wanted);
		} finally {
			clearTimeout(timer);
			waiting.textContent = "";
			for (const button of buttons) button.removeAttribute("aria-disabled");
			isBusy = false;
		}
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		if (names.length > 0) void hold({ seats: names });
		else problem.textContent = "Pick seats on the map first.";
	});
	bestForm.addEventListener("submit", event => {
		event.preventDefault();
		void hold({ best: { count: Number(count.value), ...(category.value && { category: category.value }) } });
	});
	for (let n = 1; n <= MAX_PICKED; n++) count.append(make("option", { value: String(n), selected: n === 2 }, String(n)));

	return {
		/** @param {{ seat: string, price: number }[]} seats */
		show: seats => {
			names = seats.map(({ seat }) => seat);
			showChips(seats);
			card.dataset.picked = String(names.length);
			sum.textContent = formatAmount(sumOf(seats));
			buttons[0].textContent = names.length > 0 ? `Hold ${seatsText(names.length)}` : "Hold";
			problem.textContent = "";
		},
		showProblem: text => {
			problem.textContent = text;
		},
		/** The categories of the show. */
		showCategories: categories => {
			const options = Array.from(categories, ([name, prices]) =>
				make("option", { value: name }, `${name}, ${priceRangeText(prices)}`)
			);
			category.replaceChildren(make("option", { value: "" }, "any"), ...options);
		}
	};
}
