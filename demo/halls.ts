// The seats of the demo's shows.

interface Block {
	rows: string;
	seats: number;
	category: string;
	price: number;
}

/** The first block is at the front. */
const HALL: Block[] = [
	{ rows: "ABC", seats: 14, category: "stalls", price: 45 },
	{ rows: "DEFGH", seats: 18, category: "circle", price: 32.5 },
	{ rows: "JKLM", seats: 20, category: "balcony", price: 18 }
];

export const hallSeats = HALL.flatMap(({ rows, seats, category, price }) =>
	[...rows].flatMap(row =>
		Array.from({ length: seats }, (_, n) => ({ seat: `${row}${n + 1}`, row, number: n + 1, category, price }))
	)
);

/** In the evening, this many days from now. */
export function eveningIn(days: number): string {
	const evening = new Date();
	evening.setUTCDate(evening.getUTCDate() + days);
	evening.setUTCHours(18, 30, 0, 0);
	return evening.toISOString();
}
