import { type RawData, WebSocket } from "ws";

/** What hears a connection. */
export interface Session {
	/** A frame has come. */
	hear(data: RawData, isBinary: boolean): void;
	/** A ping or a pong has. */
	beat(): void;
	/** It is closed. */
	left(): void;
	/** Takes no more frames; resolves once those taken are answered. */
	drain(): Promise<void>;
}

/**
 * A WebSocket that tells its session what happens, and has no listeners for it: there are very many, most are silent most of the time, and each listener
 * takes a function, its context and a place in two tables.
 */
export class Connection extends WebSocket {
	session: Session | undefined = undefined;
	/** It was pinged, and neither a pong nor a frame has come since: whoever sends a lot has its pong behind all of that. */
	isSilent = false;

	override emit(event: string | symbol, ...values: unknown[]): boolean {
		if (event === "message") {
			this.isSilent = false;
			this.session?.hear(values[0] as RawData, values[1] as boolean);
		} else if (event === "ping" || event === "pong") {
			if (event === "pong") this.isSilent = false;
			this.session?.beat();
		} else if (event === "close") this.session?.left();
		// What goes wrong is told by the close that follows.
		else if (event === "error") return true;
		return super.emit(event, ...values);
	}
}
