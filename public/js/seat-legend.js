// What the map's shapes and colours mean, with the number of free seats; and the free seats as a list of rows.
import { make, makeSvg } from "./element.js";
import { hueOf, pathOf, STATE_NAMES } from "./seat-shapes.js";
import { priceRangeText, priceText } from "./seat-words.js";

const picture = (category, state) =>
	makeSvg(
		"svg",
		{ class: "seats", viewBox: "-12 -12 24 24", width: "24", height: "24", "aria-hidden": "true" },
		makeSvg("path", { class: `seat hue-${hueOf(category)}`, "data-state": state, d: pathOf(category, state) })
	);

export const showStates = list =>
	list.replaceChildren(
		...Object.entries(STATE_NAMES).map(([state, name]) => make("li", { class: "quiet" }, picture(0, state), name))
	);

/**
 * @param {HTMLElement} list
 * @returns {(categories: Map<string, object>, free: Map<string, number>) => void}
 */
export function createCategoryLegend(list) {
	let shown;
	let counts = new Map();

	return (categories, free) => {
		if (shown !== categories) {
			shown = categories;
			counts = new Map(Array.from(categories.keys(), name => [name, make("span", { class: "quiet free" })]));
			list.replaceChildren(
				...Array.from(categories, ([name, { number, ...prices }]) =>
					make("li", {}, picture(number, "free"), make("strong", {}, name), ` ${priceRangeText(prices)} `, counts.get(name))
				)
			);
		}
		for (const [name, count] of counts) count.textContent = `${free.get(name)} free`;
	};
}

/** Seat numbers in short, such as `1 to 4, 7`. */
export function rangesText(numbers) {
	const ranges = [];
	for (const number of numbers.toSorted((one, other) => one - other)) {
		const last = ranges.at(-1);
		if (last && number === last[1] + 1) last[1] = number;
		else ranges.push([number, number]);
	}
	return ranges.map(([first, last]) => (first === last ? String(first) : `${first} to ${last}`)).join(", ");
}

/** Lists the free seats of each row, by category and price. */
export function showFreeRows(list, seats) {
	const free = seats.filter(({ status }) => status === "free");
	const groups = Map.groupBy(free, ({ row, category, price }) => JSON.stringify([row, category, price]));
	list.replaceChildren(
		...Array.from(groups.values(), group => {
			const [{ row, category, price }] = group;
			const numbers = rangesText(group.map(({ number }) => number));
			return make(
				"li",
				{},
				make("strong", {}, `row ${row}`),
				make("span", { class: "quiet" }, `${category}, ${priceText(price)}`),
				make("span", {}, numbers)
			);
		})
	);
}
