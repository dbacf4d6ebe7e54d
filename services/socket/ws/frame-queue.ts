// Which frames of a socket are taken when: no more than it may send, some at a time, and each after what it depends on.
import type { RawData, WebSocket } from "ws";
import type { Peer } from "../limits/peers.ts";
import type { ClientFrame } from "./frames.ts";

/** Who answers what is taken. */
export interface Answers {
	/** Reads a frame; undefined: it was not text. Throws what is wrong with it. */
	parse(text: string | undefined): ClientFrame;
	/** Resolves once the frame is answered; never rejects. */
	answer(frame: ClientFrame): Promise<unknown>;
	/** Says what was wrong with a frame. */
	refuse(error: unknown): void;
	/** It has sent too many: it is to be closed. */
	flooded(): void;
}

/** Calls of one client under way at once. */
const MAX_UNDER_WAY = 256;
/** Frames of one client taken in a row, before others have their turn: thousands may arrive as one piece. */
const FRAMES_A_TURN = 32;

interface Waiting {
	data: RawData;
	isBinary: boolean;
}

export class Intake {
	readonly #socket: WebSocket;
	readonly #peer: Peer;
	readonly #answers: Answers;
	/** Nothing is taken any more. */
	#isOver = false;
	/** In the present turn of the event loop. */
	#taken = 0;
	/** What has arrived and has to wait for its turn; meanwhile no more is read. */
	#waiting: Waiting[] | undefined = undefined;
	#underWay: Set<Promise<unknown>> | undefined = undefined;
	// Frames that change who one is or what one watches are taken in the order they came; calls need not wait for each other. But what comes after
	// a connect waits for it, and a connect for the answers to all that came before: those are the former user's, and go first.
	#inOrder: Promise<unknown> | undefined = undefined;
	#connected: Promise<unknown> | undefined = undefined;

	constructor(socket: WebSocket, peer: Peer, answers: Answers) {
		this.#socket = socket;
		this.#peer = peer;
		this.#answers = answers;
	}

	/** A frame has come. What came before its peer said goodbye is taken, even if its turn comes after that. */
	hear(data: RawData, isBinary: boolean) {
		if (this.#isOver || this.#socket.readyState !== this.#socket.OPEN) return;
		if (!this.#waiting && this.#mayTake()) return this.#take(data, isBinary);
		this.#waiting ??= [];
		this.#waiting.push({ data, isBinary });
		this.#socket.pause();
	}

	/** Counts what costs an answer, as any frame does; answers whether it may still be taken. */
	count(): boolean {
		if (this.#isOver) return false;
		if (this.#peer.take()) return true;
		this.end();
		this.#answers.flooded();
		// What it goes on sending would cost those beside it: nothing more is read, and it is hung up on once it has had time to read why.
		this.#socket.pause();
		return false;
	}

	/** Takes no more. */
	end() {
		this.#isOver = true;
		this.#waiting = undefined;
	}

	/** Reads and takes no more; resolves once what was taken is answered. */
	async drain() {
		this.end();
		this.#socket.pause();
		await Promise.all(this.#underWay ?? []);
	}

	#mayTake() {
		return this.#taken < FRAMES_A_TURN && (this.#underWay?.size ?? 0) < MAX_UNDER_WAY;
	}

	#goOn() {
		while (this.#waiting && this.#mayTake()) {
			const next = this.#waiting.shift();
			if (next) this.#take(next.data, next.isBinary);
			else {
				this.#waiting = undefined;
				this.#socket.resume();
			}
		}
	}

	#take(data: RawData, isBinary: boolean) {
		if (this.#taken++ === 0)
			setImmediate(() => {
				this.#taken = 0;
				this.#goOn();
			});
		if (!this.count()) return;
		const work = this.#begin(data, isBinary);
		if (!work) return;
		this.#underWay ??= new Set();
		const underWay = this.#underWay;
		underWay.add(work);
		void work.then(() => {
			underWay.delete(work);
			if (underWay.size === 0) this.#nothingUnderWay();
			this.#goOn();
		});
	}

	/** Resolves once the frame is answered; undefined if it is by now. */
	#begin(data: RawData, isBinary: boolean): Promise<unknown> | undefined {
		let frame: ClientFrame;
		try {
			frame = this.#answers.parse(isBinary ? undefined : String(data));
		} catch (error) {
			this.#answers.refuse(error);
			return undefined;
		}
		if (frame.code === undefined)
			return this.#connected ? this.#connected.then(() => this.#answers.answer(frame)) : this.#answers.answer(frame);
		const before = frame.code === "connect" ? Promise.all(this.#underWay ?? []) : (this.#inOrder ?? Promise.resolve());
		const answered = before.then(() => this.#answers.answer(frame));
		this.#inOrder = answered;
		if (frame.code === "connect") this.#connected = answered;
		return answered;
	}

	/** Nothing is left that what comes next could wait for, or that would have to be remembered of a silent socket. */
	#nothingUnderWay() {
		this.#underWay = undefined;
		this.#inOrder = undefined;
		this.#connected = undefined;
	}
}
