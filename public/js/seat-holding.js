// Turns a pick into a hold. What others take meanwhile leaves the pick; the rest stays picked.
import { Refused } from "./retry.js";
import { namesText, notEnoughText, refusalText, takenText } from "./seat-words.js";

/**
 * @param {object} options
 * @param {ReturnType<typeof import("./seat-pick.js").createPick>} options.pick
 * @param {(text: string) => void} options.showProblem
 * @param {() => void} options.onNotAdmitted the server refused because the user is not admitted
 * @param {(hold: { holdId: string, seats: string[] }) => void} options.onHeld
 * @param {(text: string, kind?: "news" | "alert") => void} options.toast reports the answer about a show that is no longer open
 */
export function createHolding({ pick, showProblem, onNotAdmitted, onHeld, toast }) {
	let isSending = () => false;

	function dropTaken(taken) {
		const dropped = pick.remove(taken);
		if (dropped.length > 0) showProblem(takenText(dropped, pick.names().length > 0));
	}

	function textOf({ type, message, data }, isRestKept) {
		if (type === "SEATS_TAKEN" && data?.taken?.length > 0) return takenText(data.taken, isRestKept);
		if (type === "SEATS_TAKEN") return "Others were faster. Try once more.";
		if (type === "NOT_ENOUGH_SEATS" && data) return notEnoughText(data.available);
		return refusalText({ type, message });
	}

	function refuse(refusal, session) {
		const { type, data } = refusal;
		if (type === "SEATS_TAKEN") dropTaken(data?.taken ?? []);
		showProblem(textOf(refusal, pick.names().length > 0));
		if (type === "SEATS_TAKEN") session.readSeatsIfOld();
		if (type === "TOO_MANY_HOLDS") session.own.readAgain();
		if (type === "NOT_ADMITTED") onNotAdmitted();
	}

	return {
		/** Whether the answer about this seat is under way: until then it is not somebody else's. */
		isSending: name => isSending(name),
		dropTaken,
		/**
		 * @param {ReturnType<typeof import("./seats-session.js").openSeatsSession>} session
		 * @param {string} showId
		 * @param {{ seats: string[] } | { best: { count: number, category?: string } }} wanted
		 * @param {() => boolean} isOpen whether the show is still the open one: another has seats of the same names
		 */
		hold: async (session, showId, wanted, isOpen) => {
			isSending = name => isOpen() && Boolean(wanted.seats?.includes(name));
			try {
				const hold = await session.hold(showId, wanted);
				if (!isOpen()) return toast(`Held for you: ${namesText(hold.seats)}`);
				pick.remove(hold.seats);
				onHeld(hold);
			} catch (error) {
				// Any other error: the session was closed meanwhile.
				if (!(error instanceof Refused)) return;
				if (isOpen()) refuse(error, session);
				else toast(textOf(error, false), "alert");
			} finally {
				isSending = () => false;
			}
		}
	};
}
