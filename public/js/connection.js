// A WebSocket that detects a dead connection and reconnects with backoff until it is closed.
import { backoffMs } from "./retry.js";

/** After this much silence a probe is sent: the browser answers pings itself, so the page cannot see them. */
const SILENCE_MS = 30_000;
/** Limit for opening the connection and for the answer to a probe. */
const ANSWER_MS = 10_000;
/** A connection that ends sooner counts as a failure: otherwise a server that accepts and drops connections would be tried twice a second. */
const STABLE_AFTER_MS = 5_000;

/**
 * @param {object} options
 * @param {URL} options.url
 * @param {() => Promise<object[]>} options.hello the first frames of every connection; if it rejects, the connection is opened again later
 * @param {object} options.probe a frame that the server always answers
 * @param {(frame: { code: string, data: any }) => void} options.onFrame
 * @param {(code?: number) => void} options.onLost the connection is lost and will be opened again; `code`: the close code of the server
 */
export function openConnection({ url, hello, probe, onFrame, onLost }) {
	/** @type {WebSocket | undefined} */
	let socket;
	let timer;
	let failures = 0;
	let openedAtMs = 0;

	const schedule = (run, ms) => {
		clearTimeout(timer);
		timer = setTimeout(run, ms);
	};
	const isOpen = () => socket?.readyState === WebSocket.OPEN;

	function send(frame) {
		if (!isOpen()) return false;
		socket.send(JSON.stringify(frame));
		return true;
	}

	function open() {
		const opened = new WebSocket(url);
		socket = opened;
		schedule(reconnect, ANSWER_MS);
		opened.onopen = () => {
			openedAtMs = Date.now();
			hello().then(sendHello, () => socket === opened && reconnect());
		};
		const sendHello = frames => {
			if (socket !== opened) return;
			for (const frame of frames) send(frame);
			schedule(reconnect, ANSWER_MS);
		};
		opened.onmessage = ({ data }) => {
			schedule(sendProbe, SILENCE_MS);
			onFrame(JSON.parse(data));
		};
		opened.onclose = ({ code }) => reconnect(code);
	}

	function sendProbe() {
		send(probe);
		schedule(reconnect, ANSWER_MS);
	}

	/** Drops the socket without waiting for the closing handshake, which a dead peer never completes. */
	function drop() {
		if (!socket) return;
		socket.onopen = socket.onmessage = socket.onclose = null;
		socket.close();
		socket = undefined;
	}

	function reconnect(code) {
		drop();
		if (openedAtMs > 0 && Date.now() - openedAtMs > STABLE_AFTER_MS) failures = 0;
		openedAtMs = 0;
		schedule(open, backoffMs(failures++));
		onLost(code);
	}

	/** The network or the page's visibility has changed: probe the connection, or reconnect now. */
	function check() {
		if (isOpen()) sendProbe();
		else if (!socket) open();
	}

	const closing = new AbortController();
	const { signal } = closing;
	for (const event of ["online", "offline", "pageshow"]) addEventListener(event, check, { signal });
	document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && check(), { signal });

	open();
	return {
		/** Sends a frame; false if the connection is not open. */
		send,
		/** Ends the connection and opens another after the backoff. */
		lose: () => reconnect(),
		/** Closes the connection and does not reconnect. */
		close: () => {
			closing.abort();
			clearTimeout(timer);
			drop();
		}
	};
}
