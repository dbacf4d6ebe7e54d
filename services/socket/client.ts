// One WebSocket: what may be sent to it, how much may wait for it.
import type { WebSocket } from "ws";
import type { Latest } from "../../define.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import { createView } from "./view.rules.ts";

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

export function createClient(socket: WebSocket, figures: ClientFigures): Client {
	const view = createView();
	const held = new Map<string | symbol, Held>();
	let heldBytes = 0;

	const release = (key: string | symbol) => {
		heldBytes -= Buffer.byteLength(held.get(key)?.text ?? "");
		held.delete(key);
	};

	const write = (text: string) => socket.send(text, flush);

	function flush() {
		for (const [key, { text }] of held) {
			if (socket.bufferedAmount > HOLD_ABOVE_BYTES) return;
			release(key);
			write(text);
		}
	}

	const hold = (key: string | symbol, waiting: Held) => {
		if (held.has(key)) figures.conflated();
		release(key);
		held.set(key, waiting);
		heldBytes += Buffer.byteLength(waiting.text);
		if (heldBytes + socket.bufferedAmount <= MAX_WAITING_BYTES) return;
		figures.slow();
		// A close frame would wait behind all that is not read. It comes back, and then catches up.
		socket.terminate();
	};

	const deliver = (key: string | symbol, text: string, room?: string) => {
		if (socket.readyState !== socket.OPEN) return;
		if (socket.bufferedAmount > HOLD_ABOVE_BYTES || held.size > 0) hold(key, { text, room });
		else write(text);
	};

	return {
		user: undefined,

		send(frame) {
			deliver(Symbol(frame.code), textOf(frame));
		},

		push(frame, latest, headers) {
			const { room } = frame;
			if (!latest) {
				figures.pushed();
				return deliver(Symbol(frame.code), textOf(frame), room);
			}
			const data = view.admit(frame.code, frame.data as never, latest, headers);
			if (data === undefined) return;
			figures.pushed();
			const shown = data === frame.data ? frame : { code: frame.code, data };
			const values = latest.shows(data, headers ?? {});
			const key = latest.always ? Symbol(frame.code) : `${frame.code} ${values.map(({ key }) => key).join()}`;
			deliver(key, textOf(shown), room);
		},

		drop(room) {
			for (const [key, one] of held) if (one.room === room) release(key);
			view.untell();
		},

		close: (code, reason) => socket.close(code, reason)
	};
}
