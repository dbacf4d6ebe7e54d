// One WebSocket: what may be sent to it, how much may wait for it.
import type { WebSocket } from "ws";
import type { Identity, Latest } from "../../define.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";
import { createView } from "./view.rules.ts";

export interface Frame {
	code: string;
	data: unknown;
}

/** A frame with the text it is sent as, so that a thousand sockets share one text. */
export interface Prepared extends Frame {
	text?: string;
}

export interface Client {
	/** Whose it is, once it has said so. */
	user: string | undefined;
	/** Who is behind it, as its token says. */
	caller: Identity | undefined;
	/** Sends an answer. */
	send(frame: Frame): void;
	/** Sends what a topic tells, unless it would tell nothing; `latest` frames of one kind replace each other while the peer reads slowly. */
	push(frame: Prepared, latest?: Latest<never>, headers?: Headers): void;
	close(code: number, reason: string): void;
}

export interface ClientFigures {
	pushed(): void;
	conflated(): void;
	slow(): void;
}

/** Beyond this, frames wait here, where they can be replaced by newer ones, and not in the kernel's buffers. */
const HOLD_ABOVE_BYTES = 64 * 1024;
/** What a reader that does not read may cost. */
const MAX_WAITING_BYTES = 1024 * 1024;

const textOf = (frame: Prepared) => (frame.text ??= JSON.stringify({ code: frame.code, data: frame.data }));

export function createClient(socket: WebSocket, figures: ClientFigures): Client {
	const view = createView();
	const held = new Map<string | symbol, string>();
	let heldBytes = 0;

	const release = (key: string | symbol) => {
		heldBytes -= Buffer.byteLength(held.get(key) ?? "");
		held.delete(key);
	};

	const write = (text: string) => socket.send(text, flush);

	function flush() {
		for (const [key, text] of held) {
			if (socket.bufferedAmount > HOLD_ABOVE_BYTES) return;
			release(key);
			write(text);
		}
	}

	const hold = (key: string | symbol, text: string) => {
		if (held.has(key)) figures.conflated();
		release(key);
		held.set(key, text);
		heldBytes += Buffer.byteLength(text);
		if (heldBytes + socket.bufferedAmount <= MAX_WAITING_BYTES) return;
		figures.slow();
		// A close frame would wait behind all that is not read. It comes back, and then catches up.
		socket.terminate();
	};

	const deliver = (key: string | symbol, text: string) => {
		if (socket.readyState !== socket.OPEN) return;
		if (socket.bufferedAmount > HOLD_ABOVE_BYTES || held.size > 0) hold(key, text);
		else write(text);
	};

	return {
		user: undefined,
		caller: undefined,

		send(frame) {
			deliver(Symbol(frame.code), textOf(frame));
		},

		push(frame, latest, headers) {
			figures.pushed();
			if (!latest) return deliver(Symbol(frame.code), textOf(frame));
			const data = view.admit(frame.code, frame.data as never, latest, headers);
			if (data === undefined) return;
			const shown = data === frame.data ? frame : { code: frame.code, data };
			const values = latest.shows(data, headers ?? {});
			deliver(latest.always ? Symbol(frame.code) : `${frame.code} ${values.map(({ key }) => key).join()}`, textOf(shown));
		},

		close: (code, reason) => socket.close(code, reason)
	};
}
