// Draws a hall: the stage at the front, and a row of seats behind the other.
import { makeSvg } from "./element.js";
import { hueOf, pathOf } from "./seat-shapes.js";

/** The distance between two seats, in the units of the drawing. */
const PITCH = 24;
/** Around the seats, in seats: room for the rows' names, and for the stage. */
const SIDE = 1.6;
const TOP = 2.8;
const BOTTOM = 0.4;
const NARROWEST = 8;

const at = (x, y) => `translate(${x * PITCH} ${y * PITCH})`;

function stage(width) {
	const [left, right] = [width * 0.2 * PITCH, width * 0.8 * PITCH];
	const middle = (left + right) / 2;
	return makeSvg(
		"g",
		{ class: "stage", "aria-hidden": "true" },
		makeSvg("path", { d: `M${left} 20Q${middle} 4 ${right} 20V38Q${middle} 24 ${left} 38z` }),
		makeSvg("text", { x: String(middle), y: "50" }, "stage")
	);
}

const rowName = (row, x, y) =>
	makeSvg("text", { class: "row-name", x: String(x * PITCH), y: String(y * PITCH), "aria-hidden": "true" }, row);

/**
 * @param {SVGElement} root gets the drawing
 * @param {ReturnType<typeof import("./seat-layout.js").layoutOf>} layout
 * @param {(name: string) => number} categoryOf a seat's category, by number
 * @param {{ row?: string, seat?: string }} roles for screen readers; without them the drawing is one picture
 */
export function drawHall(root, layout, categoryOf, roles = {}) {
	const inner = Math.max(layout.width, NARROWEST);
	const [width, height] = [inner + 2 * SIDE, layout.height + TOP + BOTTOM];
	const left = SIDE + (inner - layout.width) / 2;
	const paths = new Map();
	const seatPath = (name, x, y) => {
		const category = categoryOf(name);
		const path = makeSvg("path", {
			class: `seat hue-${hueOf(category)}`,
			transform: at(left + x, TOP + y),
			d: pathOf(category, "free"),
			"data-state": "free",
			"data-seat": name,
			...(roles.seat && { role: roles.seat })
		});
		paths.set(name, path);
		return path;
	};
	const lines = layout.lines.map(({ row, y, seats }) =>
		makeSvg(
			"g",
			roles.row ? { role: roles.row, "aria-label": `row ${row}` } : {},
			rowName(row, left + seats[0].x - 1.1, TOP + y),
			...seats.map(({ name, x, y }) => seatPath(name, x, y)),
			rowName(row, left + seats.at(-1).x + 1.1, TOP + y)
		)
	);
	root.setAttribute("viewBox", `0 0 ${width * PITCH} ${height * PITCH}`);
	root.replaceChildren(stage(width), ...lines);

	return {
		paths,
		/** In seats. */
		width,
		height,
		/** The point of the layout that is drawn at this part of the drawing's width and height. */
		pointAt: (xPart, yPart) => ({ x: xPart * width - left, y: yPart * height - TOP })
	};
}
