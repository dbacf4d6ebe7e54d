// The number of free seats, wherever the page shows it; at most once a frame, and announced to screen readers at most every 10 s.
import { createAnnouncer } from "./announcer.js";
import { element } from "./page.js";
import { createCategoryLegend, showFreeRows } from "./seat-legend.js";
import { seatsText } from "./seat-words.js";

const ANNOUNCE_EVERY_MS = 10_000;

/** @param {ReturnType<typeof import("./seat-store.js").createSeatStore>} store */
export function createSeatCounts(store) {
	const announce = createAnnouncer(element("seat-announcements"), ANNOUNCE_EVERY_MS);
	const showCategories = createCategoryLegend(element("categories"));
	const details = element("free-seats");
	let isWaiting = false;

	function show() {
		isWaiting = false;
		const free = store.free();
		showCategories(store.categories(), free);
		if (details.open) showFreeRows(element("free-rows"), store.all());
		const total = [...free.values()].reduce((sum, one) => sum + one, 0);
		if (free.size > 0) announce("seats", `${seatsText(total)} free`);
	}

	function soon() {
		if (isWaiting) return;
		isWaiting = true;
		requestAnimationFrame(show);
	}

	details.addEventListener("toggle", soon);
	return { soon };
}
