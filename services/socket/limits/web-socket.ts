// How WebSockets are opened, and what each may buffer, on /ws and under Socket.IO.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { ServerOptions, WebSocket } from "ws";
import { badRequest } from "../../../runtime/http/http-error.ts";
import type { Reject } from "../../../runtime/http/server.ts";

/** Options of every WebSocket server. The types of ws lack closeTimeout. */
export const WEB_SOCKET_OPTIONS: ServerOptions & { closeTimeout: number } = {
	noServer: true,
	clientTracking: false,
	maxPayload: 64 * 1024,
	// Each fragment of an unfinished message, and each packet of an unfinished frame, costs some hundred bytes, however short it is.
	maxFragments: 32,
	maxBufferedChunks: 256,
	// No compression: it would use many times a frame's size for each socket.
	perMessageDeflate: false,
	// Plaza speaks no subprotocol: to confirm one would be a false promise.
	handleProtocols: () => false,
	// After our close frame: a peer that has not answered it by then is disconnected.
	closeTimeout: 2_000
};

/** Returns the listener for handshakes that ws refuses with an `error` of its own: it answers them in our JSON shape, with `reject`. */
export const rejectHandshake = (reject: Reject) => (error: Error, socket: Duplex, req: IncomingMessage) =>
	reject(socket, badRequest(error.message), req, ["Sec-WebSocket-Version: 13, 8"]);

export interface FragmentListener {
	/** A part of a message has arrived that is not its last. */
	onFragment(): void;
}

/** The part of ws that reads frames. It calls `dataMessage` after each data frame; `_fin`: the frame is the last of its message. */
interface Receiver {
	_fin: boolean;
	dataMessage(done: (error?: Error) => void): void;
	listener?: FragmentListener;
}

// One function for all sockets, which it gets as `this`, so that each socket costs no closure.
function countingDataMessage(this: Receiver, done: (error?: Error) => void) {
	if (!this._fin) this.listener?.onFragment();
	(Object.getPrototypeOf(this) as Receiver).dataMessage.call(this, done);
}

/** Reports the fragments of an open socket, for which ws has no event. */
export function listenToFragments(socket: WebSocket & FragmentListener) {
	const { _receiver: receiver } = socket as unknown as { _receiver: Receiver };
	receiver.listener = socket;
	receiver.dataMessage = countingDataMessage;
}
