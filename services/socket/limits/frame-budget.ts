// Limits how many frames of all sockets of one address are handled in one turn of the event loop, and are in flight, so that other clients are served too.

/** Each started KiB of a frame counts as a frame, as in the rate limit. */
const MAX_PER_TURN = 256;
/** The stores take the work of all clients in the order of its arrival, so this is what another client waits for. */
const MAX_IN_FLIGHT = 2_000;

/** One for all sockets of an address. */
export class FrameBudget {
	#used = 0;
	#inFlight = 0;
	#isEnding = false;
	/** The sockets that wait for room, in the order in which they get it. */
	readonly #waiting: (() => void)[] = [];

	hasRoom() {
		return this.#used < MAX_PER_TURN && this.#inFlight < MAX_IN_FLIGHT;
	}

	/** A frame is handled that counts as this number of frames. */
	take(frames: number) {
		this.#used += frames;
		this.#endTurnLater();
	}

	/** Counts a frame as in flight until it is answered. */
	track(answered: Promise<unknown>) {
		this.#inFlight++;
		void answered.then(() => {
			this.#inFlight--;
			if (this.#waiting.length > 0) this.#endTurnLater();
		});
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
		// With too many in flight, the next answer ends the wait.
		if (this.#waiting.length > 0 && this.#inFlight < MAX_IN_FLIGHT) this.#endTurnLater();
	}
}
