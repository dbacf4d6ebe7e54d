// What the page says about seats, holds and refusals.
import { formatAmount } from "./amount.js";
import { sentence } from "./form-errors.js";
import { STATE_NAMES } from "./seat-shapes.js";

const SOON_MS = 12 * 60 * 60_000;

export const priceText = price => (price === 0 ? "no charge" : formatAmount(price));
export const seatsText = count => (count === 1 ? "1 seat" : `${count} seats`);
export const namesText = names => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);
const are = names => (names.length === 1 ? "is" : "are");

export const priceRangeText = ({ lowest, highest }) =>
	lowest === highest ? priceText(lowest) : `${formatAmount(lowest)} to ${formatAmount(highest)}`;

/** @param {import("./seat-shapes.js").SeatState} state */
export const seatText = ({ seat, row, category, price }, state) =>
	`${seat}, row ${row}, ${category}, ${priceText(price)}, ${STATE_NAMES[state]}`;

export const takenText = (taken, isRestKept) =>
	`${namesText(taken)} ${are(taken)} no longer free.${isRestKept ? " Your other seats are still picked." : ""}`;

export const notEnoughText = available =>
	available === 0
		? "No seat is free there any more."
		: `Only ${seatsText(available)} ${available === 1 ? "is" : "are"} free there.`;

/** The sum of prices, without the rounding errors of decimal numbers. */
export const sumOf = seats => seats.reduce((cents, { price }) => cents + Math.round(price * 100), 0) / 100;

const timeText = date => new Date(date).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
/** The time, with the date unless it is soon. */
export const momentText = (date, nowMs) => (Math.abs(Date.parse(date) - nowMs) < SOON_MS ? timeText(date) : dateText(date));
export const dateText = date => new Date(date).toLocaleString([], { dateStyle: "full", timeStyle: "short" });

/** Minutes and seconds, such as `9:05`. */
export function restText(restMs) {
	const seconds = Math.max(Math.floor(restMs / 1000), 0);
	return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const WORDS = {
	NOT_ENOUGH_SEATS: "Not so many seats are free there any more.",
	TOO_MANY_HOLDS: "You hold seats of this show three times already. Confirm or release some first.",
	NOT_ADMITTED: "It is not your turn yet. Join the queue, and wait until you are admitted.",
	HOLD_EXPIRED: "The time for these seats is over. Pick them again if they are still free.",
	NOT_FOUND: "This show, or one of these seats, does not exist any more.",
	CONFLICT: "This was done already, in another way. The page shows the present state."
};

/** @param {import("./retry.js").Refused} refusal */
export const refusalText = ({ type, message }) => WORDS[type] ?? sentence(message);
