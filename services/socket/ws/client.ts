// One WebSocket: what may be sent to it, how much may wait for it.
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Latest } from "../../../contract/topic.ts";
import type { Headers } from "../../../mixins/topics/topic-log.ts";
import { createView, type View } from "./version-filter.rules.ts";

export interface Frame {
	code: string;
	data: unknown;
}

/** A frame for the sockets of a room, with the text it is sent as, so that a thousand sockets share one text. */
export interface Prepared extends Frame {
	room: string;
	text?: string;
}

export interface Client {
	/** Whose it is, once it has said so. */
	user: string | undefined;
	/** Sends an answer. */
	send(frame: Frame): void;
	/** Sends what a topic tells, unless it would tell nothing; `latest` frames of one kind replace each other while the peer reads slowly. */
	push(frame: Prepared, latest?: Latest<never>, headers?: Headers): void;
	/** It has left a room: what still waits for it from there is not sent any more, and what it was told counts for nobody who comes after. */
	drop(room: string): void;
	close(code: number, reason: string): void;
}

/** Called for each, all sockets together. */
export interface ClientFigures {
	pushed(events?: number): void;
	conflated(): void;
	slow(): void;
}

/** Beyond this, frames wait here, where they can be replaced by newer ones, and not in the kernel's buffers. */
const HOLD_ABOVE_BYTES = 64 * 1024;
/** What a reader that does not read may cost. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** What waits, and the room it is for; none: it is an answer. */
interface Held {
	text: string;
	room: string | undefined;
}

const textOf = (frame: Frame & { text?: string }) => (frame.text ??= JSON.stringify({ code: frame.code, data: frame.data }));

/** A class, and nothing made before it is needed: most sockets are silent most of the time, and there are many. */
class SocketClient implements Client {
	user: string | undefined = undefined;
	readonly #socket: WebSocket;
	readonly #duplex: Duplex | undefined;
	readonly #figures: ClientFigures;
	#view: View | undefined = undefined;
	#held: Map<string | symbol, Held> | undefined = undefined;
	#heldBytes = 0;
	#isCorked = false;

	constructor(socket: WebSocket, figures: ClientFigures, duplex: Duplex | undefined) {
		this.#socket = socket;
		this.#figures = figures;
		this.#duplex = duplex;
	}

	send(frame: Frame) {
		this.#deliver(Symbol(frame.code), textOf(frame));
	}

	push(frame: Prepared, latest?: Latest<never>, headers?: Headers) {
		const { room } = frame;
		if (!latest) {
			this.#figures.pushed();
			return this.#deliver(Symbol(frame.code), textOf(frame), room);
		}
		this.#view ??= createView();
		const data = this.#view.admit(frame.code, frame.data as never, latest, headers);
		if (data === undefined) return;
		this.#figures.pushed();
		const shown = data === frame.data ? frame : { code: frame.code, data };
		const values = latest.shows(data, headers ?? {});
		const key = latest.always ? Symbol(frame.code) : `${frame.code} ${values.map(({ key }) => key).join()}`;
		this.#deliver(key, textOf(shown), room);
	}

	drop(room: string) {
		for (const [key, one] of this.#held ?? []) if (one.room === room) this.#release(key);
		this.#view?.untell();
	}

	close(code: number, reason: string) {
		this.#socket.close(code, reason);
	}

	#deliver(key: string | symbol, text: string, room?: string) {
		if (this.#socket.readyState !== this.#socket.OPEN) return;
		if (this.#socket.bufferedAmount > HOLD_ABOVE_BYTES || this.#held?.size) this.#hold(key, { text, room });
		else this.#write(text);
	}

	#hold(key: string | symbol, waiting: Held) {
		this.#held ??= new Map();
		if (this.#held.has(key)) this.#figures.conflated();
		this.#release(key);
		this.#held.set(key, waiting);
		this.#heldBytes += Buffer.byteLength(waiting.text);
		if (this.#heldBytes + this.#socket.bufferedAmount <= MAX_WAITING_BYTES) return;
		this.#figures.slow();
		// A close frame would wait behind all that is not read. It comes back, and then catches up.
		this.#socket.terminate();
	}

	#release(key: string | symbol) {
		this.#heldBytes -= Buffer.byteLength(this.#held?.get(key)?.text ?? "");
		this.#held?.delete(key);
	}

	#write(text: string) {
		this.#cork();
		this.#socket.send(text, () => this.#flush());
	}

	#flush() {
		if (!this.#held?.size) return;
		for (const [key, { text }] of this.#held) {
			if (this.#socket.bufferedAmount > HOLD_ABOVE_BYTES) return;
			this.#release(key);
			this.#write(text);
		}
	}

	/** What is sent in one turn leaves in one call of the system: a batch of purchases answers the same socket several times. */
	#cork() {
		if (this.#isCorked || !this.#duplex) return;
		this.#isCorked = true;
		this.#duplex.cork();
		// After all that the present turn still has to say.
		process.nextTick(() => {
			this.#isCorked = false;
			this.#duplex?.uncork();
		});
	}
}

/** `duplex`: what the WebSocket writes to. */
export const createClient = (socket: WebSocket, figures: ClientFigures, duplex?: Duplex): Client =>
	new SocketClient(socket, figures, duplex);
