// Announces changes to screen readers at a limited rate.

/**
 * @param {HTMLElement} region a live region
 * @param {number} gapMs from one announcement to the next, at least
 * @returns {(topic: string, text: string) => void} announces the text after the gap; a newer text on the same topic replaces the older
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
