// A client that sends as many frames as possible, and reconnects as soon as it is closed.
import type { Socket } from "node:net";
import { WebSocket } from "ws";

export interface Flooded {
	/** The number of closes by code. */
	closings: Record<string, number>;
	/** The number of other errors by message. */
	errors: Record<string, number>;
	/** The longest time until it was closed. */
	longestMs: number;
}

const FRAMES_AT_ONCE = 500;

/** RFC 6455, 5.2: one masked text frame of fewer than 126 bytes. A mask of zeros changes nothing. */
const masked = (text: string) => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
/** A frame that is refused at once, one that causes work, and one that is answered by a call. */
const kinds = ['{"code":"x"}', '{"code":"watch","data":{"selections":true}}', '{"user_id":"flood","amount":-1}'].map(text =>
	Buffer.concat(Array.from({ length: FRAMES_AT_ONCE }, () => masked(text)))
);

const count = (counts: Record<string, number>, what: string) => {
	counts[what] = (counts[what] ?? 0) + 1;
};

export function flooder() {
	let flooded: Flooded = { closings: {}, errors: {}, longestMs: 0 };
	let isFlooding = false;
	let last: WebSocket | undefined;

	const connect = (url: string, localAddress: string, attempt: number) => {
		const ws = new WebSocket(url, { perMessageDeflate: false, localAddress } as ConstructorParameters<typeof WebSocket>[2]);
		last = ws;
		let openedAtMs = performance.now();
		const writeAll = () => {
			const { _socket: socket } = ws as unknown as { _socket: Socket };
			if (ws.readyState !== WebSocket.OPEN) return;
			if (socket.write(kinds[attempt % kinds.length] as Buffer)) setImmediate(writeAll);
			else socket.once("drain", writeAll);
		};
		ws.on("open", () => {
			openedAtMs = performance.now();
			writeAll();
		});
		ws.on("error", error => count(flooded.errors, error.message));
		ws.on("close", code => {
			if (!isFlooding) return;
			count(flooded.closings, String(code));
			flooded.longestMs = Math.max(flooded.longestMs, performance.now() - openedAtMs);
			setImmediate(connect, url, localAddress, attempt + 1);
		});
	};

	return {
		async flood(url: string, localAddress: string) {
			flooded = { closings: {}, errors: {}, longestMs: 0 };
			isFlooding = true;
			connect(url, localAddress, 0);
		},
		async endFlood() {
			isFlooding = false;
			last?.terminate();
			return flooded;
		}
	};
}
