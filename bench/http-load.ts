// A cheap HTTP client, so that the server dominates the measure: keep-alive connections, one request at a time on each, hardly any parsing.
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

const opened = async (url: URL): Promise<Socket> => {
	const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true }).setEncoding("latin1");
	await once(socket, "connect");
	return socket;
};

/** Sends the next request as soon as the last one is answered, until the time is up. */
const askOn = (socket: Socket, expected: string, request: () => string, endMs: number, latenciesMs: number[]) =>
	new Promise<void>((resolve, reject) => {
		let received = "";
		let askedAtMs = performance.now();
		socket.on("error", reject).on("close", () => reject(new Error("the server closed the connection")));
		socket.on("data", (part: string) => {
			received += part;
			const headEnd = received.indexOf(HEAD_END);
			if (headEnd < 0) return;
			const head = received.slice(0, headEnd);
			const length = LENGTH.exec(head)?.[1];
			if (!head.startsWith(expected) || length === undefined) return reject(new Error(`not ${expected}: ${received}`));
			if (received.length < headEnd + HEAD_END.length + Number(length)) return;
			received = "";
			const nowMs = performance.now();
			latenciesMs.push(nowMs - askedAtMs);
			if (nowMs > endMs) return resolve();
			askedAtMs = nowMs;
			socket.write(request());
		});
		socket.write(request());
	});

/**
 * Connections live for one round, because a server may close idle ones between rounds. An answer with an unexpected status, or without a
 * Content-Length, fails the measure.
 */
export async function httpLoad(
	url: string,
	ms: number,
	{ connections, status, request }: { connections: number; status: number; request: () => string }
): Promise<Round> {
	const sockets = await Promise.all(Array.from({ length: connections }, () => opened(new URL(url))));
	const latenciesMs: number[] = [];
	const startMs = performance.now();
	try {
		await Promise.all(sockets.map(socket => askOn(socket, `HTTP/1.1 ${status} `, request, startMs + ms, latenciesMs)));
		return { operations: latenciesMs.length, elapsedMs: performance.now() - startMs, latenciesMs };
	} finally {
		for (const socket of sockets) socket.destroy();
	}
}
