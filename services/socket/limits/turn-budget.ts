// Limits how many frames of all sockets of one address are handled in one turn of the event loop, so that other clients are served between its turns.

/** Each started KiB of a frame counts as a frame, as in the rate limit. */
const MAX_PER_TURN = 256;

/** One for all sockets of an address. */
export class TurnBudget {
	#used = 0;
	#isEnding = false;
	/** The sockets that wait for room, in the order in which they get it. */
	readonly #waiting: (() => void)[] = [];

	hasRoom() {
		return this.#used < MAX_PER_TURN;
	}

	take(frames: number) {
		this.#used += frames;
		this.#endTurnLater();
	}

	/** Calls `proceed` in a later turn, after the sockets that wait already. */
	whenRoom(proceed: () => void) {
		this.#waiting.push(proceed);
		this.#endTurnLater();
	}

	#endTurnLater() {
		if (this.#isEnding) return;
		this.#isEnding = true;
		setImmediate(() => this.#endTurn());
	}

	#endTurn() {
		this.#used = 0;
		this.#isEnding = false;
		// Sockets that wait again are called in the next turn.
		for (let left = this.#waiting.length; left > 0 && this.hasRoom(); left--) this.#waiting.shift()?.();
		if (this.#waiting.length > 0) this.#endTurnLater();
	}
}
