// A Socket.IO connection that comes back by itself, each time with a token that is good, until it is closed.
import { io } from "/vendor/socket.io.js";
import { backoffMs, untilAnswered } from "./retry.js";

const ACKNOWLEDGED_WITHIN_MS = 10_000;

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {boolean} options.isDashboard whether to ask for what admins are shown
 * @param {Record<string, (message: any) => void>} options.events
 * @param {() => void} options.onConnected from now on every event comes, once; what was before has to be read
 * @param {() => void} options.onLost it will be opened again
 * @param {(type: string) => void} options.onRefused it will not
 */
export function openLive({ who, isDashboard, events, onConnected, onLost, onRefused }) {
	const closing = new AbortController();
	let authenticating = new AbortController();
	let sentToken;
	let failures = 0;
	let timer;

	/** For each connection anew: a server that ends one because its token has ended is to be shown another. */
	async function authenticate(send) {
		authenticating.abort();
		authenticating = new AbortController();
		const signal = AbortSignal.any([closing.signal, authenticating.signal]);
		try {
			sentToken = await untilAnswered(() => who.token(), signal);
			send(sentToken === undefined ? {} : { token: sentToken });
		} catch {
			// Closed, or lost again meanwhile: then the next connection asks.
		}
	}

	// By WebSocket alone: a poll could reach another gateway than the one before, which would not know of it.
	const socket = io({ transports: ["websocket"], forceNew: true, auth: send => void authenticate(send) });

	function reconnectLater() {
		clearTimeout(timer);
		timer = setTimeout(() => socket.connect(), backoffMs(failures++));
	}

	async function subscribe() {
		const { id } = socket;
		const answer = await socket
			.timeout(ACKNOWLEDGED_WITHIN_MS)
			.emitWithAck("subscribe:admin")
			.catch(() => undefined);
		if (socket.id !== id) return false;
		if (answer?.ok) return true;
		if (answer?.error.type === "FORBIDDEN") onRefused("FORBIDDEN");
		else socket.io.engine.close();
		return false;
	}

	socket.on("connect", async () => {
		failures = 0;
		if (!isDashboard || (await subscribe())) onConnected();
	});
	socket.on("disconnect", () => {
		onLost();
		if (!socket.active && !closing.signal.aborted) reconnectLater();
	});
	socket.on("connect_error", ({ data }) => {
		onLost();
		// It is on its way again by itself, unless the server has refused it.
		if (socket.active) return;
		if (data?.type === "UNAUTHORIZED" && sentToken === undefined) return onRefused("UNAUTHORIZED");
		if (data?.type === "UNAUTHORIZED") who.renew(sentToken).catch(() => {});
		reconnectLater();
	});
	for (const [name, tell] of Object.entries(events)) socket.on(name, tell);

	return {
		close: () => {
			closing.abort();
			clearTimeout(timer);
			socket.disconnect();
		}
	};
}
