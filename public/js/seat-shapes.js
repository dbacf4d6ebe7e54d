// The shapes of seats, as SVG paths around 0,0. A category has a shape and a colour, and each state has a mark: none of them is told by colour alone.
// The marks are holes: the paths are filled by the rule `evenodd`.

const CATEGORY_SHAPES = [
	"M-9-5a4 4 0 0 1 4-4h10a4 4 0 0 1 4 4v10a4 4 0 0 1-4 4h-10a4 4 0 0 1-4-4z",
	"M-9.5 0a9.5 9.5 0 1 0 19 0a9.5 9.5 0 1 0-19 0z",
	"M0-11L11 0L0 11L-11 0z",
	"M-10.5 0L-5.5-9H5.5L10.5 0L5.5 9H-5.5z"
];
const HUES = 4;

const CHECK = "M-6 .3L-4.2-1.5L-1.7 1L4-4.7L5.8-2.9L-1.7 4.6z";
const DOT = "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z";
const RING = "M-10 0a10 10 0 1 0 20 0a10 10 0 1 0-20 0zM-7.5 0a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0z";
const CORE = "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z";
const CROSS = "M-6-4.3L-4.3-6L0-1.7L4.3-6L6-4.3L1.7 0L6 4.3L4.3 6L0 1.7L-4.3 6L-6 4.3L-1.7 0z";
const STAR = "M0-11.5L3.2-4.2L11-3.5L5.1 1.8L6.8 9.4L0 5.5L-6.8 9.4L-5.1 1.8L-11-3.5L-3.2-4.2z";

/** @typedef {"free" | "picked" | "mine" | "bought" | "held" | "sold"} SeatState `mine`: held by this account; `held`, `sold`: by others */

/** What the states are called, in the order of the legend. @type {Record<SeatState, string>} */
export const STATE_NAMES = {
	free: "free",
	picked: "picked",
	mine: "held for you",
	bought: "bought by you",
	held: "held by others",
	sold: "sold"
};

const shapeOf = category => CATEGORY_SHAPES[category % CATEGORY_SHAPES.length];

/** The colour of a category, 0 to 3: with its shape it differs from the 15 categories before it. */
export const hueOf = category => (category + Math.floor(category / HUES)) % HUES;

/**
 * @param {number} category its number in the show
 * @param {SeatState} state
 */
export function pathOf(category, state) {
	if (state === "picked") return shapeOf(category) + CHECK;
	if (state === "mine") return RING + CORE;
	if (state === "bought") return STAR;
	if (state === "held") return shapeOf(category) + DOT;
	if (state === "sold") return CROSS;
	return shapeOf(category);
}
