// The fair queue of the open show: joining it, the own place, and being admitted.
import { Refused } from "./retry.js";
import { momentText, refusalText } from "./seat-words.js";
import { read, remove, write } from "./storage.js";

const REFRESH_MS = 5_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const UNREACHABLE = "Plaza cannot be reached right now.";

/**
 * @param {object} options
 * @param {Record<"card" | "place" | "ahead" | "text" | "problem" | "button", HTMLElement>} options.elements
 * @param {() => void} options.askToSignIn
 * @param {() => number} options.nowMs the server's time
 * @param {(topic: string, text: string) => void} options.announce
 * @param {(topic: string, text: string) => void} options.announceRarely
 * @param {(isAdmitted: boolean) => void} options.onChange whether the user may hold seats of the show
 */
export function createQueuePanel({ elements, askToSignIn, nowMs, announce, announceRarely, onChange }) {
	const { card, place: placeLine, ahead, text, problem, button } = elements;
	let show;
	let user;
	let place;
	let timer;
	let openingTimer;

	const isBefore = () => show?.queue !== undefined && Date.parse(show.queue.opensAt) > nowMs();
	const key = () => `plaza/${encodeURIComponent(user.id)}/queue/${show.showId}`;

	function words() {
		const opens = momentText(show.queue.opensAt, nowMs());
		if (place?.state === "admitted") return "You are admitted. Pick your seats.";
		if (place && isBefore()) return `You have joined. At ${opens} a draw decides the order of everyone who came before.`;
		if (place)
			return `You will be admitted at about ${momentText(place.until, nowMs())}. Stay here, or come back: you keep your place.`;
		if (isBefore())
			return `The queue opens at ${opens}. Everyone who joins before then takes part in a draw; coming first brings nothing.`;
		return "Many people want these seats. Join the queue; you are admitted when it is your turn.";
	}

	function render() {
		card.hidden = !show?.queue;
		onChange(!show?.queue || place?.state === "admitted");
		if (card.hidden) return;
		const isWaiting = place?.state === "waiting" && !isBefore();
		placeLine.hidden = !isWaiting;
		ahead.textContent = isWaiting ? String(place.ahead) : "–";
		text.textContent = words();
		card.dataset.state = place?.state ?? "none";
		button.hidden = place !== undefined;
	}

	function setPlace(now) {
		const wasAdmitted = place?.state === "admitted";
		// An answer that was under way while the user was admitted.
		if (wasAdmitted && now.state === "waiting") return;
		const isNew = !place;
		place = now;
		render();
		if (now.state === "admitted" && !wasAdmitted) announce("queue", "You are admitted. Pick your seats.");
		else if (isNew) announce("queue", words());
		else if (now.state === "waiting" && !isBefore()) announceRarely("queue", `${now.ahead} ahead of you`);
		schedule();
	}

	function schedule() {
		clearTimeout(timer);
		if (place?.state === "waiting") timer = setTimeout(join, REFRESH_MS * (0.8 + Math.random() * 0.4));
	}

	/** Joins, or reads the own place: both are the same request. */
	async function join() {
		const [{ showId }, asking] = [show, user];
		const isOver = () => show?.showId !== showId || user !== asking;
		try {
			const now = await asking.join(showId);
			if (isOver()) return;
			problem.textContent = "";
			write(key(), "joined");
			setPlace(now);
		} catch (error) {
			if (isOver() || error.name === "AbortError") return;
			problem.textContent =
				error instanceof Refused
					? refusalText(error)
					: `${UNREACHABLE} ${place ? "You keep your place." : "Try again in a moment."}`;
			schedule();
		}
	}

	button.addEventListener("click", () => (user.isGuest ? askToSignIn() : void join()));

	return {
		/**
		 * Shows the queue of another show, or to another user; without a show nothing.
		 * @param {{ id: string, isGuest: boolean, join: (showId: string) => Promise<object> }} nowUser
		 */
		open: (nowShow, nowUser) => {
			clearTimeout(timer);
			clearTimeout(openingTimer);
			[show, user, place] = [nowShow, nowUser, undefined];
			problem.textContent = "";
			render();
			if (isBefore())
				openingTimer = setTimeout(render, Math.min(Date.parse(show.queue.opensAt) - nowMs() + 1_000, LONGEST_TIMER_MS));
			if (show?.queue && !user.isGuest && read(key()) !== undefined) void join();
		},
		/** The server reports a new place. */
		update: now => now.showId === show?.showId && setPlace(now),
		/** The server refused a hold for want of admission. */
		refused: () => {
			place = undefined;
			remove(key());
			render();
		}
	};
}
