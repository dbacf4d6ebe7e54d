// A Socket.IO connection that reconnects with a valid token until it is closed.
import { io } from "/vendor/socket.io.js";
import { backoffMs, Unavailable, untilAnswered } from "./retry.js";

const ACKNOWLEDGED_WITHIN_MS = 10_000;

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {boolean} options.isDashboard whether to subscribe to the admin events
 * @param {Record<string, (message: any) => void>} options.events
 * @param {() => void} options.onConnected from now on every event arrives, once; earlier changes must be loaded
 * @param {() => void} options.onLost it will reconnect
 * @param {(type: string) => void} options.onRefused it will not reconnect
 */
export function openLive({ who, isDashboard, events, onConnected, onLost, onRefused }) {
	const closing = new AbortController();
	let authenticating = new AbortController();
	let sentToken;
	let failures = 0;
	let timer;

	/** Called for each connection: after the server ends one because its token expired, the next needs another token. */
	async function authenticate(send) {
		authenticating.abort();
		authenticating = new AbortController();
		const signal = AbortSignal.any([closing.signal, authenticating.signal]);
		try {
			sentToken = await untilAnswered(() => who.token(), signal);
			send(sentToken === undefined ? {} : { token: sentToken });
		} catch {
			// Closed or lost meanwhile: the next connection authenticates itself.
		}
	}

	// WebSocket only: without sticky routing, polling requests could reach another gateway, which does not know the connection.
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
		// Socket.IO reconnects by itself, unless the server refused the connection.
		if (socket.active) return;
		if (data?.type === "UNAUTHORIZED" && sentToken === undefined) return onRefused("UNAUTHORIZED");
		if (data?.type === "UNAUTHORIZED") who.renew(sentToken).catch(() => {});
		reconnectLater();
	});
	for (const [name, handler] of Object.entries(events)) socket.on(name, handler);

	return {
		/** Sends an event. Resolves to its acknowledgement; rejects with `Unavailable` if there is no connection, or no answer in time. */
		ask: async (event, payload) => {
			if (!socket.connected) throw new Unavailable("not connected");
			try {
				return await socket.timeout(ACKNOWLEDGED_WITHIN_MS).emitWithAck(event, payload);
			} catch (error) {
				throw new Unavailable(error.message);
			}
		},
		close: () => {
			closing.abort();
			clearTimeout(timer);
			socket.disconnect();
		}
	};
}
