// Chooses the best free seats of a show: side by side, no single free seat left beside them, near the front and the middle. No I/O.

/** A seat as the choice needs it. Seats of one row and category whose numbers follow each other are side by side. */
export interface PlacedSeat {
	row: string;
	number: number;
	category: string;
}

interface Row {
	category: string;
	/** The rows are numbered in the order in which the show lists them: 0 is the front. */
	index: number;
	/** Twice the middle of its numbers: whole, like all distances here. */
	twiceMiddle: number;
	/** Positions in the show's list, sorted by number. */
	positions: number[];
}

/** Free seats side by side: `row.positions` from `start` on. */
interface Run {
	row: Row;
	start: number;
	length: number;
}

interface Candidate {
	positions: number[];
	/** Single free seats that it leaves beside it. */
	orphans: number;
	distance: number;
}

export interface SeatChooser {
	/** Positions in the show's list, ascending; undefined if fewer than `count` seats are free. They stay free until `take`. */
	choose(count: number, category?: string): number[] | undefined;
	/** From now on these seats are not free. */
	take(positions: readonly number[]): void;
	/** How many are free. */
	countFree(category?: string): number;
}

/** The rows of a show, which do not change. */
export interface Layout {
	seats: readonly PlacedSeat[];
	/** From the front to the back. */
	rows: Row[];
	/** By the position of the seat. */
	rowOf: Row[];
}

/** `seats`: in the order of the show's list. */
export function layoutOf(seats: readonly PlacedSeat[]): Layout {
	const rows = new Map<string, Row>();
	const rowOf: Row[] = [];
	for (const [position, { row, category }] of seats.entries()) {
		// Two parts of a hall may have a row of the same name.
		const key = JSON.stringify([category, row]);
		const known = rows.get(key) ?? { category, index: rows.size, twiceMiddle: 0, positions: [] };
		known.positions.push(position);
		rows.set(key, known);
		rowOf[position] = known;
	}
	for (const row of rows.values()) {
		row.positions.sort((a, b) => seats[a]!.number - seats[b]!.number || a - b);
		row.twiceMiddle = seats[row.positions[0]!]!.number + seats[row.positions.at(-1)!]!.number;
	}
	return { seats, rows: [...rows.values()], rowOf };
}

/** The runs of each row; computed again after a seat of the row has changed. `free`: 1 for each free seat, by position. */
function freeRuns({ seats }: Layout, free: Uint8Array) {
	const runs = new Map<Row, Run[]>();

	const findRuns = (row: Row): Run[] => {
		const found: Run[] = [];
		let last: Run | undefined;
		let lastNumber = Number.NaN;
		for (const [start, position] of row.positions.entries()) {
			const { number } = seats[position]!;
			if (free[position] && last && number === lastNumber + 1) last.length++;
			else {
				last = free[position] ? { row, start, length: 1 } : undefined;
				if (last) found.push(last);
			}
			lastNumber = number;
		}
		return found;
	};

	return {
		of(row: Row): Run[] {
			const known = runs.get(row) ?? findRuns(row);
			runs.set(row, known);
			return known;
		},
		/** A seat of this row was taken or freed. */
		drop: (row: Row) => runs.delete(row)
	};
}

/** Chooses among the seats that are free now. */
export function seatChooser(layout: Layout, isFree: (position: number) => boolean): SeatChooser {
	const { seats, rows, rowOf } = layout;
	const free = Uint8Array.from(seats.keys(), position => (isFree(position) ? 1 : 0));
	const runs = freeRuns(layout, free);

	/** The best `count` seats of one run. Only a few places can be the best: around the middle, away from it by one or two, and the run's ends. */
	const bestOfRun = ({ row, start, length }: Run, count: number): Candidate | undefined => {
		const last = length - count;
		if (last < 0) return undefined;
		const firstNumber = seats[row.positions[start]!]!.number;
		// Twice the number in the middle of the chosen seats is 2 * (firstNumber + offset) + count - 1.
		const middle = Math.floor((row.twiceMiddle - count + 1) / 2) - firstNumber;
		const nearest = Math.min(Math.max(middle, 0), last);
		let best: Candidate | undefined;
		for (const offset of [0, nearest - 2, nearest - 1, nearest, nearest + 1, nearest + 2, last]) {
			if (offset < 0 || offset > last) continue;
			const orphans = (offset === 1 ? 1 : 0) + (last - offset === 1 ? 1 : 0);
			const distance = 2 * row.index + Math.abs(2 * (firstNumber + offset) + count - 1 - row.twiceMiddle);
			const candidate = { positions: row.positions.slice(start + offset, start + offset + count), orphans, distance };
			if (isBetter(candidate, best)) best = candidate;
		}
		return best;
	};

	const chooseAdjacent = (count: number, category: string | undefined): number[] | undefined => {
		let best: Candidate | undefined;
		for (const row of rows) {
			if (!isWanted(row, category)) continue;
			// No seat of this row or a later one can be nearer.
			if (best?.orphans === 0 && best.distance <= 2 * row.index) break;
			for (const run of runs.of(row)) {
				const candidate = bestOfRun(run, count);
				if (candidate && isBetter(candidate, best)) best = candidate;
			}
		}
		return best?.positions;
	};

	const set = (positions: readonly number[], isFree: 0 | 1) => {
		for (const position of positions) {
			free[position] = isFree;
			runs.drop(rowOf[position]!);
		}
	};

	const countFree = (category?: string) =>
		free.reduce((sum, one, position) => sum + (isWanted(seats[position]!, category) ? one : 0), 0);

	const longestRun = (category: string | undefined) =>
		rows
			.filter(row => isWanted(row, category))
			.flatMap(runs.of)
			.reduce((longest, { length }) => Math.max(longest, length), 0);

	/** The largest groups that there are, each the best of its size. So many seats must be free. */
	const chooseScattered = (count: number, category: string | undefined): number[] => {
		const chosen: number[] = [];
		while (chosen.length < count) {
			const group = chooseAdjacent(Math.min(count - chosen.length, longestRun(category)), category)!;
			chosen.push(...group);
			set(group, 0);
		}
		set(chosen, 1);
		return chosen;
	};

	return {
		choose(count, category) {
			const adjacent = chooseAdjacent(count, category);
			if (!adjacent && countFree(category) < count) return undefined;
			return (adjacent ?? chooseScattered(count, category)).toSorted((a, b) => a - b);
		},
		take: positions => set(positions, 0),
		countFree
	};
}

const isWanted = (one: { category: string }, category: string | undefined) => category === undefined || one.category === category;

/** Fewer orphans first, then nearer; of equals the earlier one. */
const isBetter = (one: Candidate, other: Candidate | undefined) =>
	!other || one.orphans < other.orphans || (one.orphans === other.orphans && one.distance < other.distance);
