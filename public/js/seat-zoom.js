// How large the map is drawn. At first the whole hall is visible; seats that are too small to hit are enlarged at the first click.

const isCoarse = matchMedia("(pointer: coarse)");
/** The size of a seat in pixels, with the space around it. */
const smallest = () => (isCoarse.matches ? 30 : 16);
const comfortable = () => (isCoarse.matches ? 44 : 28);
const LARGEST_AT_FIRST = 44;
const LARGEST = 72;
const STEP = 1.5;

/**
 * @param {object} options
 * @param {HTMLElement} options.frame scrolls
 * @param {SVGElement} options.root
 */
export function createSeatZoom({ frame, root }) {
	/** In seats. */
	let hall = { width: 1, height: 1 };
	/** Pixels of a seat; undefined: the whole hall fits. */
	let chosen;

	const fitting = () => Math.min(frame.clientWidth / hall.width, frame.clientHeight / hall.height, LARGEST_AT_FIRST);
	const current = () => chosen ?? fitting();

	function resize() {
		root.style.width = `${current() * hall.width}px`;
		root.style.height = `${current() * hall.height}px`;
	}

	/** Keeps the point at this part of the drawing where it is in the frame, or moves it to the middle. */
	function set(pixels, { xPart, yPart }, isToMiddle) {
		const before = root.getBoundingClientRect();
		const box = frame.getBoundingClientRect();
		const [x, y] = isToMiddle
			? [box.width / 2, box.height / 2]
			: [before.left + xPart * before.width - box.left, before.top + yPart * before.height - box.top];
		chosen = pixels <= fitting() ? undefined : Math.min(pixels, LARGEST);
		resize();
		frame.scrollTo({ left: xPart * current() * hall.width - x, top: yPart * current() * hall.height - y });
	}

	function middle() {
		const [box, drawn] = [frame.getBoundingClientRect(), root.getBoundingClientRect()];
		return {
			xPart: (box.left + box.width / 2 - drawn.left) / drawn.width,
			yPart: (box.top + box.height / 2 - drawn.top) / drawn.height
		};
	}

	new ResizeObserver(resize).observe(frame);

	return {
		/** Another hall was drawn. */
		fit: drawn => {
			if (drawn) hall = drawn;
			chosen = undefined;
			resize();
		},
		larger: () => set(current() * STEP, middle()),
		smaller: () => set(current() / STEP, middle()),
		/** Enlarges seats that are too small, around this point. Returns whether they were. */
		enlargeAt: (xPart, yPart) => {
			if (current() >= smallest()) return false;
			set(comfortable(), { xPart, yPart }, true);
			return true;
		}
	};
}
