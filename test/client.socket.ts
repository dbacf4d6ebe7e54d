// A small real WebSocket client with an inbox.
import { WebSocket } from "ws";
import { WAIT_MS } from "./client.ts";
import { within } from "./process.ts";

export interface Frame {
	code: string;
	// biome-ignore lint/suspicious/noExplicitAny: what the other side sends is what the tests are about
	data: any;
}

export interface Socket {
	/** Everything that has come, in order. */
	frames: Frame[];
	of(code: string): Frame[];
	/** Sends a text or bytes as they are, and any other value as JSON. */
	send(frame: unknown): void;
	/** The first frame, from the one at `from` on, that the predicate accepts. */
	waitFor(accepts: (frame: Frame) => boolean, what: string, options?: { from?: number; timeoutMs?: number }): Promise<Frame>;
	/** Sends a frame and waits for the next frame that comes. */
	ask(frame: unknown): Promise<Frame>;
	/** The code with which it was closed. */
	closed(timeoutMs?: number): Promise<number>;
	/** Why it was closed, as the other side said. */
	readonly reason: string;
	close(): void;
	/** Goes without a goodbye. */
	drop(): void;
	readonly open: boolean;
}

/** "Service restart": the server was starved for longer than its lease, cannot be sure that it showed everything, and asks to come again. */
const COME_AGAIN = 1012;
let timesAskedToComeAgain = 0;

/** Does it once more, at most twice, where a socket was asked to come again meanwhile: what it waited for may have gone by. */
export async function comingAgain<T>(act: () => Promise<T>): Promise<T> {
	for (let again = 2; ; again--) {
		const before = timesAskedToComeAgain;
		try {
			return await act();
		} catch (error) {
			if (again === 0 || timesAskedToComeAgain === before) throw error;
		}
	}
}

export interface SocketOptions {
	origin?: string;
	/** Sent as `Authorization: Bearer`. */
	token?: string;
	/** Looks at every frame when it comes. */
	onFrame?: (frame: Frame) => void;
}

/** Opens a socket. Rejects with the HTTP status, and the answer's JSON, where the upgrade is refused. */
export async function openSocket(url: string, { origin, token, onFrame }: SocketOptions = {}): Promise<Socket> {
	const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
	const ws = new WebSocket(url, { origin, headers, handshakeTimeout: WAIT_MS, perMessageDeflate: false });
	const frames: Frame[] = [];
	const listeners = new Set<() => void>();
	let closing = "";
	let why = "";
	const closed = new Promise<number>(resolve => {
		ws.on("close", (code, reason) => {
			why = String(reason);
			closing = `${code} ${why}`;
			if (code === COME_AGAIN) timesAskedToComeAgain++;
			resolve(code);
		});
	});
	const tell = () => {
		for (const listener of listeners) listener();
	};
	ws.on("message", data => {
		const frame = JSON.parse(data.toString()) as Frame;
		frames.push(frame);
		onFrame?.(frame);
		tell();
	});
	ws.on("close", tell);
	await new Promise<void>((resolve, reject) => {
		ws.on("open", resolve);
		ws.on("error", reject);
		ws.on("unexpected-response", (sent, response) => {
			const { statusCode: status } = response;
			let text = "";
			response.on("data", part => {
				text += part;
			});
			response.on("end", () => {
				const json = response.headers["content-type"]?.includes("json") ? JSON.parse(text) : undefined;
				reject(Object.assign(new Error(`upgrade refused with ${status}: ${text}`), { status, json }));
				sent.destroy();
			});
		});
	});

	const socket: Socket = {
		frames,
		of: code => frames.filter(frame => frame.code === code),
		send: frame => ws.send(typeof frame === "string" || frame instanceof Uint8Array ? frame : JSON.stringify(frame)),
		waitFor(accepts, what, { from = 0, timeoutMs = WAIT_MS } = {}) {
			let next = from;
			let stop = () => {};
			const found = new Promise<Frame>((resolve, reject) => {
				const look = () => {
					for (; next < frames.length; next++) if (accepts(frames[next] as Frame)) return resolve(frames[next] as Frame);
					// While it is closing, nobody knows yet why.
					if (ws.readyState === WebSocket.CLOSED) reject(new Error(`the socket closed (${closing}) while waiting for ${what}`));
				};
				listeners.add(look);
				stop = () => listeners.delete(look);
				look();
			});
			const last = () => `${what}; the last of ${frames.length} frames: ${JSON.stringify(frames.slice(-5))}`;
			return within(found, timeoutMs, last).finally(() => stop());
		},
		ask(frame) {
			const from = frames.length;
			socket.send(frame);
			return socket.waitFor(() => true, `an answer to ${JSON.stringify(frame).slice(0, 200)}`, { from });
		},
		closed: (timeoutMs = WAIT_MS) => within(closed, timeoutMs, () => "the socket to be closed"),
		get reason() {
			return why;
		},
		close: () => ws.close(),
		drop: () => ws.terminate(),
		get open() {
			return ws.readyState === WebSocket.OPEN;
		}
	};
	return socket;
}

/** Opens a socket and makes it this user's; with a token where the user has an account. */
export async function openSocketAs(url: string, user: string, token?: string): Promise<Socket> {
	const socket = await openSocket(url);
	socket.send({ code: "connect", data: { ip: "127.0.0.1", user, token } });
	await socket.waitFor(frame => frame.code === "connected", `connected as ${user}`);
	return socket;
}
