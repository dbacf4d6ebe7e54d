// Tracks the user of a socket from the frames that it sends and receives, and fails at the first frame of another user.
import assert from "node:assert/strict";
import type { Frame } from "./client.socket.ts";

export interface SocketOwner {
	readonly user: string | undefined;
	/** The socket has sent a connect for this user, which will be accepted. */
	connectedAs(user: string): void;
	/** Checks the next frame. Returns whether it was a frame of the socket's user. */
	accept(frame: Frame): boolean;
}

export function trackOwner(): SocketOwner {
	let user: string | undefined;
	const next: string[] = [];
	return {
		get user() {
			return user;
		},

		connectedAs: one => void next.push(one),

		accept({ code, data }) {
			const owner = code === "connected" ? data.user : data.user_id;
			if (owner === undefined || code === "error") return false;
			// Pushed frames of the new user may arrive before the answer to the connect; answers to requests cannot.
			if (next[0] === owner && (code === "connected" || (code !== "purchase" && owner !== user))) user = next.shift();
			assert.equal(owner, user, `${code} of ${owner} was sent to a socket of ${user}`);
			return code !== "connected";
		}
	};
}
