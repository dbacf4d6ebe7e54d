// An HTTP client that costs little, so that what is measured is the server: kept connections, one request at a time on each, no parser to speak of.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Round } from "./measure.ts";

const HEAD_END = "\r\n\r\n";
const LENGTH = /^content-length: *(\d+)/im;

/** The bytes of a request. */
export const requestOf = (url: URL, method: "GET" | "POST", body?: string) => {
	const lines = [`${method} ${url.pathname} HTTP/1.1`, `Host: ${url.host}`];
	if (body !== undefined) lines.push("Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`);
	return `${lines.join("\r\n")}${HEAD_END}${body ?? ""}`;
};

/**
 * So many connections, each of which asks again as soon as it is answered. An answer with another status than the one wanted, or without a
 * Content-Length, ends the measure.
 */
export async function httpLoad(url: string, { connections, status }: { connections: number; status: number }) {
	const { hostname, port } = new URL(url);
	const expected = `HTTP/1.1 ${status} `;
	const sockets = await Promise.all(
		Array.from({ length: connections }, async () => {
			const socket = connect({ host: hostname, port: Number(port), noDelay: true }).setEncoding("latin1");
			await once(socket, "connect");
			return socket;
		})
	);

	const clientOf = (socket: Socket, request: () => string, endMs: number, latenciesMs: number[]) =>
		new Promise<void>((resolve, reject) => {
			let received = "";
			let askedAtMs = performance.now();
			const done = (error?: Error) => {
				socket.removeAllListeners();
				if (error) reject(error);
				else resolve();
			};
			socket.on("error", done).on("close", () => done(new Error("the server hung up")));
			socket.on("data", (part: string) => {
				received += part;
				const headEnd = received.indexOf(HEAD_END);
				if (headEnd < 0) return;
				const head = received.slice(0, headEnd);
				const length = LENGTH.exec(head)?.[1];
				if (!head.startsWith(expected) || length === undefined) return done(new Error(`not ${status}: ${received}`));
				if (received.length < headEnd + HEAD_END.length + Number(length)) return;
				received = "";
				const nowMs = performance.now();
				latenciesMs.push(nowMs - askedAtMs);
				if (nowMs > endMs) return done();
				askedAtMs = nowMs;
				socket.write(request());
			});
			socket.write(request());
		});

	return {
		async round(ms: number, request: () => string): Promise<Round> {
			const latenciesMs: number[] = [];
			const startMs = performance.now();
			await Promise.all(sockets.map(socket => clientOf(socket, request, startMs + ms, latenciesMs)));
			return { operations: latenciesMs.length, elapsedMs: performance.now() - startMs, latenciesMs };
		},
		close() {
			for (const socket of sockets) socket.destroy();
		}
	};
}
