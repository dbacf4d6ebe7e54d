// When the frames of one socket are handled: within its rate limit, a few per turn of the event loop, and each after the frames that it depends on.
import type { RawData, WebSocket } from "ws";
import { startedKiB } from "../../../mixins/limits/token-bucket.ts";
import type { Peer } from "../limits/peers.ts";
import type { ClientFrame } from "./frames.ts";

export interface FrameHandler {
	/** Parses a frame; undefined: it was not text. Throws what is wrong with it. */
	parse(text: string | undefined): ClientFrame;
	/** Resolves once the frame is answered; never rejects. */
	answer(frame: ClientFrame): Promise<unknown>;
	/** Answers a frame that could not be parsed. */
	reject(error: unknown): void;
	/** The client has sent too many frames: its socket must be closed. */
	onFlood(): void;
}

/** Frames of one client that are answered at the same time. */
const MAX_IN_FLIGHT = 256;
/**
 * Frames of one client in one turn of the event loop, before other clients have theirs: thousands may arrive in one piece. As in the rate limit, each
 * started KiB counts as a frame, so that a turn's work is bounded whatever the size of the frames.
 */
const MAX_PER_TURN = 32;

/** The number of frames that a frame counts as. ws delivers text as one buffer. */
const costOf = (data: RawData) => startedKiB((data as Buffer).length);

interface QueuedFrame {
	data: RawData;
	isBinary: boolean;
}

export class FrameQueue {
	readonly #socket: WebSocket;
	readonly #peer: Peer;
	readonly #handler: FrameHandler;
	/** No more frames are handled. */
	#isStopped = false;
	/** The cost of the frames that were handled in this turn of the event loop. */
	#inThisTurn = 0;
	/** Frames that have arrived and wait; meanwhile the socket is not read. */
	#queued: QueuedFrame[] | undefined = undefined;
	/** The sockets of its address have used up this turn, or have too many frames in flight: it continues in a later turn. */
	#waitsForBudget = false;
	#inFlight: Set<Promise<unknown>> | undefined = undefined;
	// `connect` and `watch` are handled in the order of their arrival; calls run in parallel. But every frame waits for a `connect` before it, and a
	// `connect` waits for the answers to all frames before it: those belong to the former user.
	#lastInOrder: Promise<unknown> | undefined = undefined;
	#lastConnect: Promise<unknown> | undefined = undefined;

	constructor(socket: WebSocket, peer: Peer, handler: FrameHandler) {
		this.#socket = socket;
		this.#peer = peer;
		this.#handler = handler;
	}

	/** Handles a frame now or queues it. Frames that arrived before the client's close frame are still handled after it. */
	add(data: RawData, isBinary: boolean) {
		if (this.#isStopped || this.#socket.readyState !== this.#socket.OPEN) return;
		if (!this.#queued && this.#hasRoom()) return this.#handle(data, isBinary);
		this.#queued ??= [];
		this.#queued.push({ data, isBinary });
		this.#socket.pause();
		this.#waitForBudget();
	}

	/** Counts a ping, or a frame that costs as much as several, against the rate limit; false: it must not be handled. */
	count(frames = 1): boolean {
		if (this.#isStopped) return false;
		if (this.#peer.take(frames)) return true;
		this.stop();
		this.#handler.onFlood();
		// Reading on would cost the other clients: the socket stays paused until the close frame has had time to arrive.
		this.#socket.pause();
		return false;
	}

	/** Drops the queued frames and handles no more. */
	stop() {
		this.#isStopped = true;
		this.#queued = undefined;
	}

	/** Stops, and resolves once the frames in flight are answered. */
	async drain() {
		this.stop();
		this.#socket.pause();
		await Promise.all(this.#inFlight ?? []);
	}

	#hasRoom() {
		return this.#inThisTurn < MAX_PER_TURN && (this.#inFlight?.size ?? 0) < MAX_IN_FLIGHT && this.#peer.budget.hasRoom();
	}

	#waitForBudget() {
		if (this.#waitsForBudget || this.#peer.budget.hasRoom()) return;
		this.#waitsForBudget = true;
		this.#peer.budget.whenRoom(() => {
			this.#waitsForBudget = false;
			this.#handleQueued();
		});
	}

	#handleQueued() {
		while (this.#queued && this.#hasRoom()) {
			const next = this.#queued.shift();
			if (next) this.#handle(next.data, next.isBinary);
			else {
				this.#queued = undefined;
				this.#socket.resume();
			}
		}
		if (this.#queued) this.#waitForBudget();
	}

	#handle(data: RawData, isBinary: boolean) {
		if (this.#inThisTurn === 0)
			setImmediate(() => {
				this.#inThisTurn = 0;
				this.#handleQueued();
			});
		const cost = costOf(data);
		this.#inThisTurn += cost;
		this.#peer.budget.take(cost);
		if (!this.count(cost)) return;
		const answered = this.#begin(data, isBinary);
		if (!answered) return;
		this.#inFlight ??= new Set();
		const inFlight = this.#inFlight;
		inFlight.add(answered);
		this.#peer.budget.track(answered);
		void answered.then(() => {
			inFlight.delete(answered);
			if (inFlight.size === 0) this.#releaseMemory();
			this.#handleQueued();
		});
	}

	/** Resolves once the frame is answered; undefined if it already is. */
	#begin(data: RawData, isBinary: boolean): Promise<unknown> | undefined {
		let frame: ClientFrame;
		try {
			frame = this.#handler.parse(isBinary ? undefined : String(data));
		} catch (error) {
			this.#handler.reject(error);
			return undefined;
		}
		if (frame.code === undefined)
			return this.#lastConnect ? this.#lastConnect.then(() => this.#handler.answer(frame)) : this.#handler.answer(frame);
		const before = frame.code === "connect" ? Promise.all(this.#inFlight ?? []) : (this.#lastInOrder ?? Promise.resolve());
		const answered = before.then(() => this.#handler.answer(frame));
		this.#lastInOrder = answered;
		if (frame.code === "connect") this.#lastConnect = answered;
		return answered;
	}

	/** Nothing is in flight that a later frame could wait for: a silent socket keeps no promises. */
	#releaseMemory() {
		this.#inFlight = undefined;
		this.#lastInOrder = undefined;
		this.#lastConnect = undefined;
	}
}
