// The seats of a new show, planned as blocks of rows.
import { parseAmount } from "./amount.js";

export const MAX_SEATS = 20_000;
/** So that the preview of a wrong plan stays small. */
const MAX_ROWS = 1_000;
const LETTERS = 26;

/** `A` is 1, `Z` is 26, `AA` is 27. */
const numberOfLetters = text => [...text].reduce((number, letter) => number * LETTERS + letter.charCodeAt(0) - 64, 0);
function lettersOf(number) {
	let letters = "";
	for (let rest = number; rest > 0; rest = Math.floor((rest - 1) / LETTERS))
		letters = String.fromCharCode(65 + ((rest - 1) % LETTERS)) + letters;
	return letters;
}

/**
 * The names of the rows, such as A to M, or 1 to 20.
 * @returns {{ rows: string[] } | { problem: string }}
 */
export function rowsBetween(from, to) {
	const [first, last] = [from, to].map(text => text.trim().toUpperCase());
	const areLetters = [first, last].every(text => /^[A-Z]{1,3}$/.test(text));
	const areNumbers = [first, last].every(text => /^\d{1,4}$/.test(text));
	if (!areLetters && !areNumbers) return { problem: "Name rows by letters, like A to M, or by numbers, like 1 to 20." };
	const [start, end] = [first, last].map(areLetters ? numberOfLetters : Number);
	if (start > end) return { problem: "The first row must come before the last one." };
	if (end - start >= MAX_ROWS) return { problem: `Plan at most ${MAX_ROWS} rows.` };
	return { rows: Array.from({ length: end - start + 1 }, (_, n) => (areLetters ? lettersOf(start + n) : String(start + n))) };
}

/** A price as typed; empty is 0. */
function parsePrice(text) {
	if (/^\s*(0+([.,]0{0,2})?)?\s*$/.test(text)) return { amount: 0 };
	return parseAmount(text);
}

/** The seats of one block, or what is wrong with it. */
function seatsOf({ from, to, seats, category, price }) {
	const { rows, problem } = rowsBetween(from, to);
	if (problem) return { problem };
	if (!/^\d{1,5}$/.test(seats.trim()) || Number(seats) < 1) return { problem: "Enter how many seats a row has." };
	if (category.trim() === "") return { problem: "Name the category." };
	const asked = parsePrice(price);
	if (asked.problem) return { problem: asked.problem };
	if (rows.length * Number(seats) > MAX_SEATS) return { problem: `A show has at most ${MAX_SEATS} seats.` };
	const seat = (row, number) => ({
		// A row that is named by a number needs a mark between both: row 1 seat 11 is not row 11 seat 1.
		seat: /^\d/.test(row) ? `${row}-${number}` : `${row}${number}`,
		row,
		number,
		category: category.trim(),
		price: asked.amount
	});
	return { rows, seats: rows.flatMap(row => Array.from({ length: Number(seats) }, (_, n) => seat(row, n + 1))) };
}

/**
 * @param {{ from: string, to: string, seats: string, category: string, price: string }[]} blocks as typed, the front first
 * @returns {{ seats: object[], problems: string[] }} the seats as the API takes them; `problems`: one text a block, empty if it is correct
 */
export function planOf(blocks) {
	const used = new Set();
	const seats = [];
	const problems = blocks.map(block => {
		const planned = seatsOf(block);
		if (planned.problem) return planned.problem;
		const repeated = planned.rows.find(row => used.has(row));
		if (repeated !== undefined) return `Row ${repeated} is planned twice.`;
		for (const row of planned.rows) used.add(row);
		if (seats.length + planned.seats.length > MAX_SEATS) return `A show has at most ${MAX_SEATS} seats.`;
		seats.push(...planned.seats);
		return "";
	});
	return { seats, problems };
}
