// Follows whose a socket is, by what it says and what it is sent, and fails at the first frame that is somebody else's.
import assert from "node:assert/strict";
import type { Frame } from "./client.socket.ts";

export interface Whose {
	readonly user: string | undefined;
	/** It has asked to become this user's, and will be let. */
	becomes(user: string): void;
	/** Looks at the next frame; answers whether it was somebody's own. */
	sees(frame: Frame): boolean;
}

export function followed(): Whose {
	let user: string | undefined;
	const next: string[] = [];
	return {
		get user() {
			return user;
		},

		becomes: one => void next.push(one),

		sees({ code, data }) {
			const its = code === "connected" ? data.user : data.user_id;
			if (its === undefined || code === "error") return false;
			// What is pushed may overtake the answer to the connect by which a socket enters its new user's room; what answers cannot.
			if (next[0] === its && (code === "connected" || (code !== "purchase" && its !== user))) user = next.shift();
			assert.equal(its, user, `${code} of ${its} came to a socket of ${user}`);
			return code !== "connected";
		}
	};
}
