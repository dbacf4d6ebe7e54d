// One WebSocket: which frames are sent to it, and how many bytes may wait for it.
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Latest } from "../../../contract/topic.ts";
import type { Headers } from "../../../mixins/topics/topic-log.ts";
import type { WaitingBytes } from "../limits/waiting-bytes.ts";
import type { SocketCounters } from "../metrics.ts";
import type { Member, RoomFrame } from "../rooms.ts";
import { type VersionFilter, versionFilter } from "./version-filter.rules.ts";

export interface Frame {
	code: string;
	data: unknown;
}

export interface Client extends Required<Member> {
	/** The user that it acts as; undefined before the first `connect` or purchase. */
	user: string | undefined;
	/** Sends an answer. */
	send(frame: Frame): void;
	/**
	 * Sends a room's frame; one of latest values only if it carries something new, and in place of an older one of the same values that still waits
	 * for a slow reader.
	 */
	push(frame: RoomFrame, latest?: Latest<never>, headers?: Headers): void;
	/** Drops the room's frames that still wait; what was sent before counts as unsent for the next user of the socket. */
	drop(room: string): void;
	close(code: number, reason: string): void;
	/** Its socket is closed: nothing waits for it any more. */
	release(): void;
}

/** Above this, frames wait here, where newer ones can replace them, and not in the kernel's buffers. */
const QUEUE_ABOVE_BYTES = 64 * 1024;
/** Memory that one client which does not read may use. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** A frame that waits for a slow reader; without a room it is an answer. */
interface QueuedFrame {
	text: string;
	room: string | undefined;
}

const textOf = (frame: Frame & { text?: string }) => (frame.text ??= JSON.stringify({ code: frame.code, data: frame.data }));

/** A class whose fields are created when they are needed: there are very many sockets, and most of them are silent most of the time. */
class SocketClient implements Client {
	user: string | undefined = undefined;
	readonly #socket: WebSocket;
	readonly #duplex: Duplex | undefined;
	readonly #counters: SocketCounters;
	readonly #waiting: WaitingBytes;
	#versions: VersionFilter | undefined = undefined;
	#queue: Map<string | symbol, QueuedFrame> | undefined = undefined;
	#queuedBytes = 0;
	#isCorked = false;

	constructor(socket: WebSocket, counters: SocketCounters, waiting: WaitingBytes, duplex: Duplex | undefined) {
		this.#socket = socket;
		this.#counters = counters;
		this.#waiting = waiting;
		this.#duplex = duplex;
	}

	send(frame: Frame) {
		this.#deliver(Symbol(frame.code), textOf(frame));
	}

	push(frame: RoomFrame, latest?: Latest<never>, headers?: Headers) {
		const { room } = frame;
		if (!latest) {
			this.#counters.pushed();
			return this.#deliver(Symbol(frame.code), textOf(frame), room);
		}
		this.#versions ??= versionFilter();
		const data = this.#versions.filter(frame.code, frame.data as never, latest, headers);
		if (data === undefined) return;
		this.#counters.pushed();
		const sent = data === frame.data ? frame : { code: frame.code, data };
		const values = latest.versions(data, headers ?? {});
		const key = latest.always ? Symbol(frame.code) : `${frame.code} ${values.map(({ key }) => key).join()}`;
		this.#deliver(key, textOf(sent), room);
	}

	drop(room: string) {
		for (const [key, queued] of this.#queue ?? []) if (queued.room === room) this.#dequeue(key);
		this.#versions?.reset();
	}

	close(code: number, reason: string) {
		this.#socket.close(code, reason);
	}

	release() {
		for (const key of this.#queue?.keys() ?? []) this.#dequeue(key);
	}

	#deliver(key: string | symbol, text: string, room?: string) {
		if (this.#socket.readyState !== this.#socket.OPEN) return;
		if (this.#socket.bufferedAmount > QUEUE_ABOVE_BYTES || this.#queue?.size) this.#enqueue(key, { text, room });
		else this.#write(text);
	}

	#enqueue(key: string | symbol, queued: QueuedFrame) {
		this.#queue ??= new Map();
		if (this.#queue.has(key)) this.#counters.conflated();
		this.#dequeue(key);
		this.#queue.set(key, queued);
		this.#count(Buffer.byteLength(queued.text));
		if (this.#queuedBytes + this.#socket.bufferedAmount <= MAX_WAITING_BYTES && !this.#waiting.isFull()) return;
		this.#counters.slow();
		// A close frame would wait behind all that the client has not read. It reconnects and synchronises.
		this.#socket.terminate();
	}

	#dequeue(key: string | symbol) {
		this.#count(-Buffer.byteLength(this.#queue?.get(key)?.text ?? ""));
		this.#queue?.delete(key);
	}

	#count(bytes: number) {
		this.#queuedBytes += bytes;
		this.#waiting.add(bytes);
	}

	#write(text: string) {
		this.#cork();
		this.#socket.send(text, () => this.#flush());
	}

	#flush() {
		if (!this.#queue?.size) return;
		for (const [key, { text }] of this.#queue) {
			if (this.#socket.bufferedAmount > QUEUE_ABOVE_BYTES) return;
			this.#dequeue(key);
			this.#write(text);
		}
	}

	/** Frames of one turn of the event loop leave in one system call: a batch of purchases answers the same socket several times. */
	#cork() {
		if (this.#isCorked || !this.#duplex) return;
		this.#isCorked = true;
		this.#duplex.cork();
		// After all frames of this turn.
		process.nextTick(() => {
			this.#isCorked = false;
			this.#duplex?.uncork();
		});
	}
}

/**
 * `waiting`: shared by all sockets of its address. `duplex`: the connection that the WebSocket writes to; without it frames are not collected into one
 * write.
 */
export const createClient = (socket: WebSocket, counters: SocketCounters, waiting: WaitingBytes, duplex?: Duplex): Client =>
	new SocketClient(socket, counters, waiting, duplex);
