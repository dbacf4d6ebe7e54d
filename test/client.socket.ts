// A WebSocket client for /ws that records all frames.
import { WebSocket } from "ws";
import { WAIT_MS } from "./client.ts";
import { within } from "./process.ts";

export interface Frame {
	code: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests assert on whatever the server sends
	data: any;
}

export interface Socket {
	/** All frames, in order of arrival. */
	frames: Frame[];
	of(code: string): Frame[];
	/** Sends a string or bytes unchanged, any other value as JSON. */
	send(frame: unknown): void;
	/** Resolves to the first frame from index `from` on that the predicate accepts. */
	waitFor(accepts: (frame: Frame) => boolean, what: string, options?: { from?: number; timeoutMs?: number }): Promise<Frame>;
	/** Sends a frame. Resolves to the next frame that arrives. */
	request(frame: unknown): Promise<Frame>;
	/** Resolves to the close code. */
	closed(timeoutMs?: number): Promise<number>;
	/** The close reason that the server gave. */
	readonly reason: string;
	close(): void;
	/** Closes the TCP connection without a close frame. */
	drop(): void;
	readonly open: boolean;
}

export interface SocketOptions {
	origin?: string;
	/** Sent as `Authorization: Bearer`. */
	token?: string;
	/** Called with every frame on arrival. */
	onFrame?: (frame: Frame) => void;
}

/** Opens a socket. If the upgrade is refused, rejects with the HTTP status and the JSON of the response. */
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
			resolve(code);
		});
	});
	const notify = () => {
		for (const listener of listeners) listener();
	};
	ws.on("message", data => {
		const frame = JSON.parse(data.toString()) as Frame;
		frames.push(frame);
		onFrame?.(frame);
		notify();
	});
	ws.on("close", notify);
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
				const check = () => {
					for (; next < frames.length; next++) if (accepts(frames[next] as Frame)) return resolve(frames[next] as Frame);
					// Before the socket is fully closed, its close code is unknown.
					if (ws.readyState === WebSocket.CLOSED) reject(new Error(`the socket closed (${closing}) while waiting for ${what}`));
				};
				listeners.add(check);
				stop = () => listeners.delete(check);
				check();
			});
			const last = () => `${what}; the last of ${frames.length} frames: ${JSON.stringify(frames.slice(-5))}`;
			return within(found, timeoutMs, last).finally(() => stop());
		},
		request(frame) {
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

/** Opens a socket and connects it as this user; a user with an account needs a token. */
export async function openSocketAs(url: string, user: string, token?: string): Promise<Socket> {
	const socket = await openSocket(url);
	socket.send({ code: "connect", data: { ip: "127.0.0.1", user, token } });
	await socket.waitFor(frame => frame.code === "connected", `connected as ${user}`);
	return socket;
}
