import { type RawData, WebSocket } from "ws";
import type { FragmentListener } from "../limits/web-socket.ts";

/** Handles what happens on one connection. */
export interface Session {
	/** A frame has arrived. */
	onFrame(data: RawData, isBinary: boolean): void;
	/** A ping or a pong has arrived. */
	onPing(): void;
	/** A part of a message has arrived that is not its last. */
	onFragment(): void;
	onClose(): void;
	/** Accepts no more frames; resolves once the accepted ones are answered. */
	drain(): Promise<void>;
}

/**
 * A WebSocket that calls its session directly instead of event listeners: there are very many sockets, most are silent most of the time, and each listener
 * costs a function, its context and an entry in two tables.
 */
export class Connection extends WebSocket implements FragmentListener {
	session: Session | undefined = undefined;
	/** It was pinged, and neither a pong nor a frame has arrived since: the pong of a client that sends a lot is queued behind its frames. */
	isSilent = false;

	onFragment() {
		this.session?.onFragment();
	}

	override emit(event: string | symbol, ...values: unknown[]): boolean {
		if (event === "message") {
			this.isSilent = false;
			this.session?.onFrame(values[0] as RawData, values[1] as boolean);
		} else if (event === "ping" || event === "pong") {
			if (event === "pong") this.isSilent = false;
			this.session?.onPing();
		} else if (event === "close") this.session?.onClose();
		// A close event follows each error, and without a listener the error would end the process.
		else if (event === "error") return true;
		return super.emit(event, ...values);
	}
}
