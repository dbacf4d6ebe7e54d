// Tells a screen reader what has changed, without talking all the time.

/**
 * @param {HTMLElement} region a live region
 * @param {number} gapMs from one announcement to the next, at least
 * @returns {(topic: string, text: string) => void} says the text once the gap is over; newer text on the same topic takes the older's place
 */
export function createAnnouncer(region, gapMs) {
	const waiting = new Map();

	function announce() {
		region.textContent = [...waiting.values()].join(", ");
		waiting.clear();
	}

	return (topic, text) => {
		if (waiting.size === 0) setTimeout(announce, gapMs);
		waiting.set(topic, text);
	};
}
