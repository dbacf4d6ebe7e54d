// One WebSocket that notices when it is dead and comes back by itself, until it is closed.
import { backoffMs } from "./retry.js";

/** After this much silence the server is asked for a sign of life: pings are answered by the browser, the page never sees them. */
const SILENCE_MS = 30_000;
/** For opening, and for the first answer to what was asked. */
const ANSWER_MS = 10_000;
/** A connection that ends sooner counts as one more failure, or a server that accepts and drops would be asked twice a second. */
const STABLE_AFTER_MS = 5_000;

/**
 * @param {object} options
 * @param {URL} options.url
 * @param {() => Promise<object[]>} options.hello frames sent first on every connection; where there are none to be had, it is opened again later
 * @param {object} options.probe a frame that the server always answers
 * @param {(frame: { code: string, data: any }) => void} options.onFrame
 * @param {(code?: number) => void} options.onLost the connection is gone, and will be opened again; `code` is what the server closed it with
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

	/** Gives the socket up without waiting for its closing handshake, which a dead peer never ends. */
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

	/** Something happened that makes the wait pointless, or the connection doubtful. */
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
		/** Sends a frame; false where there is no connection to send it by. */
		send,
		/** Ends the connection, to be opened again after a pause. */
		lose: () => reconnect(),
		/** Ends it for good. */
		close: () => {
			closing.abort();
			clearTimeout(timer);
			drop();
		}
	};
}
