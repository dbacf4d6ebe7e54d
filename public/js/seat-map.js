// The map of seats: drawn once, then only the seats that change. A grid with one tab stop for the keyboard and for screen readers.
import { makeSvg } from "./element.js";
import { drawHall } from "./seat-drawing.js";
import { layoutOf, seatAt, seatByKey } from "./seat-layout.js";
import { pathOf } from "./seat-shapes.js";
import { createSeatZoom } from "./seat-zoom.js";

const RING = 22;

/**
 * @param {object} options
 * @param {HTMLElement} options.frame
 * @param {ReturnType<typeof import("./seat-store.js").createSeatStore>} options.store
 * @param {(name: string) => import("./seat-shapes.js").SeatState} options.stateOf
 * @param {(name: string) => string} options.textOf a seat in words
 * @param {(name: string) => void} options.onPick
 * @param {(name: string | undefined) => void} options.onPoint the pointer or the focus is on this seat
 */
export function createSeatMap({ frame, store, stateOf, textOf, onPick, onPoint }) {
	const root = makeSvg("svg", { class: "seats", role: "grid", "aria-label": "seats", "aria-multiselectable": "true" });
	const ring = makeSvg("rect", { class: "ring", width: String(RING), height: String(RING), rx: "6", "aria-hidden": "true" });
	const zoom = createSeatZoom({ frame, root });
	frame.append(root);
	let layout = layoutOf([]);
	let hall;
	/** The seat that Tab leads to. */
	let current;

	function paint(name) {
		const path = hall?.paths.get(name);
		if (!path) return;
		const state = stateOf(name);
		path.setAttribute("d", pathOf(store.categoryOf(name), state));
		path.setAttribute("data-state", state);
		path.setAttribute("aria-label", textOf(name));
		path.setAttribute("aria-selected", String(state === "picked"));
		path.setAttribute("aria-disabled", String(state !== "free" && state !== "picked"));
	}

	function setCurrent(name) {
		if (current !== undefined) hall.paths.get(current)?.setAttribute("tabindex", "-1");
		current = name;
		hall.paths.get(name)?.setAttribute("tabindex", "0");
	}

	function draw() {
		const hadFocus = root.contains(document.activeElement);
		layout = layoutOf(store.all());
		hall = drawHall(root, layout, store.categoryOf, { row: "row", seat: "gridcell" });
		root.append(ring);
		ring.setAttribute("visibility", "hidden");
		for (const name of hall.paths.keys()) paint(name);
		zoom.fit(hall);
		const first = layout.lines[0];
		current = undefined;
		if (first) setCurrent(first.seats[Math.floor(first.seats.length / 2)].name);
		if (hadFocus) hall.paths.get(current)?.focus();
	}

	function partOf({ clientX, clientY }) {
		const { left, top, width, height } = root.getBoundingClientRect();
		return [(clientX - left) / width, (clientY - top) / height];
	}
	function seatUnder(event) {
		if (!hall) return undefined;
		const { x, y } = hall.pointAt(...partOf(event));
		return seatAt(layout, x, y);
	}

	root.addEventListener("click", event => {
		const name = seatUnder(event);
		if (zoom.enlargeAt(...partOf(event)) || name === undefined) return;
		setCurrent(name);
		hall.paths.get(name).focus({ preventScroll: true });
		onPick(name);
	});
	root.addEventListener("pointermove", event => event.pointerType === "mouse" && onPoint(seatUnder(event)));
	root.addEventListener("pointerleave", () => onPoint(undefined));

	root.addEventListener("keydown", event => {
		if (current === undefined || event.altKey || event.metaKey) return;
		if (event.key === "Enter" || event.key === " ") {
			event.preventDefault();
			if (!event.repeat) onPick(current);
			return;
		}
		const next = seatByKey(layout, current, event.key, event.ctrlKey);
		if (next === undefined) return;
		event.preventDefault();
		setCurrent(next);
		hall.paths.get(next).focus();
	});
	root.addEventListener("focusin", ({ target }) => {
		if (!target.dataset.seat || !target.matches(":focus-visible")) return;
		const { x, y, width, height } = target.getBoundingClientRect();
		zoom.enlargeAt(...partOf({ clientX: x + width / 2, clientY: y + height / 2 }));
		target.scrollIntoView({ block: "nearest", inline: "nearest" });
		ring.setAttribute("transform", `${target.getAttribute("transform")} translate(${-RING / 2} ${-RING / 2})`);
		ring.setAttribute("visibility", "visible");
		onPoint(target.dataset.seat);
	});
	root.addEventListener("focusout", () => {
		ring.setAttribute("visibility", "hidden");
		onPoint(undefined);
	});

	return {
		draw,
		/** Paints these seats again; without names all of them. */
		paint: (names = hall ? [...hall.paths.keys()] : []) => names.forEach(paint),
		larger: zoom.larger,
		smaller: zoom.smaller,
		fit: () => zoom.fit()
	};
}
