// Where the seats of a show are drawn, and which seat is beside which. Unit: the distance between two neighbours.

/** A longer row continues on the next line. */
const MAX_LINE = 100;
/** Numbers that are missing in a row leave a gap, at most this wide. */
const MAX_GAP = 2;
const CATEGORY_GAP = 0.5;
/** A click further from a seat hits none. */
const REACH = 0.6;
const LINES = { ArrowUp: -1, ArrowDown: 1, PageUp: -5, PageDown: 5 };

const linesOf = (row, seats) => {
	const sorted = seats.toSorted((one, other) => one.number - other.number);
	return Array.from({ length: Math.ceil(sorted.length / MAX_LINE) }, (_, n) => ({
		row,
		seats: sorted.slice(n * MAX_LINE, (n + 1) * MAX_LINE)
	}));
};

function offsetsOf(seats) {
	let x = 0;
	return seats.map(({ number }, n) => {
		if (n > 0) x += 1 + Math.min(Math.max(number - seats[n - 1].number - 1, 0), MAX_GAP);
		return x;
	});
}

/**
 * The first row of the list is at the front, and each row is centred.
 * @param {{ seat: string, row: string, number: number, category: string }[]} seats
 * @returns {{
 *   width: number, height: number,
 *   lines: { row: string, y: number, seats: { name: string, x: number, y: number }[] }[],
 *   places: Map<string, { line: number, index: number }>
 * }} `x` and `y`: the centre of a seat
 */
export function layoutOf(seats) {
	const placed = Array.from(
		Map.groupBy(seats, ({ row }) => row),
		([row, all]) => linesOf(row, all)
	)
		.flat()
		.map(line => ({ ...line, offsets: offsetsOf(line.seats) }));
	const width = placed.reduce((widest, { offsets }) => Math.max(widest, offsets.at(-1) + 1), 0);

	let y = 0.5;
	const lines = placed.map(({ row, seats, offsets }, n) => {
		if (n > 0) y += placed[n - 1].seats[0].category === seats[0].category ? 1 : 1 + CATEGORY_GAP;
		const left = (width - offsets.at(-1)) / 2;
		return { row, y, seats: seats.map(({ seat }, index) => ({ name: seat, x: left + offsets[index], y })) };
	});
	const places = new Map(lines.flatMap(({ seats }, line) => seats.map(({ name }, index) => [name, { line, index }])));
	return { width, height: y + 0.5, lines, places };
}

const nearest = (all, distanceOf) => all.reduce((best, one) => (distanceOf(one) < distanceOf(best) ? one : best), all[0]);

/** The seat at a point; undefined if there is none. */
export function seatAt({ lines }, x, y) {
	const line = nearest(lines, line => Math.abs(line.y - y));
	if (!line || Math.abs(line.y - y) > REACH) return undefined;
	const seat = nearest(line.seats, seat => Math.abs(seat.x - x));
	return Math.abs(seat.x - x) > REACH ? undefined : seat.name;
}

/**
 * The seat that a key leads to; at the edge of the map the same seat. Undefined if the key moves nothing.
 * @param {boolean} hasCtrl `Home` and `End` lead to the first and the last seat of the map, not of the row
 */
export function seatByKey({ lines, places }, name, key, hasCtrl) {
	const { line, index } = places.get(name);
	const { seats } = lines[line];
	if (key === "ArrowLeft") return (seats[index - 1] ?? seats[index]).name;
	if (key === "ArrowRight") return (seats[index + 1] ?? seats[index]).name;
	if (key === "Home") return (hasCtrl ? lines[0].seats : seats)[0].name;
	if (key === "End") return (hasCtrl ? lines.at(-1).seats : seats).at(-1).name;
	if (!(key in LINES)) return undefined;
	const other = lines[Math.min(Math.max(line + LINES[key], 0), lines.length - 1)];
	return nearest(other.seats, seat => Math.abs(seat.x - seats[index].x)).name;
}
