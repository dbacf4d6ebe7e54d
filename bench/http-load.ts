// A cheap HTTP client, so that the server dominates the measure: keep-alive connections, one request at a time on each, hardly any parsing.
import { once } from "node:events";
import { connect } from "node:net";
import type { Round } from "./measure.ts";

const HEAD_END = "\r\n\r\n";
const LENGTH = /^content-length: *(\d+)/im;

/** The bytes of a request. */
export const requestOf = (url: URL, method: "GET" | "POST", body?: string) => {
	const lines = [`${method} ${url.pathname} HTTP/1.1`, `Host: ${url.host}`];
	if (body !== undefined) lines.push("Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`);
	return `${lines.join("\r\n")}${HEAD_END}${body ?? ""}`;
};

export interface HttpConnection {
	/** Resolves to the head of the answer. Rejects if the status is not the expected one, or without a Content-Length. One request at a time. */
	send(request: string): Promise<string>;
	close(): void;
}

/** Opens a keep-alive connection whose answers must have this status. */
export async function openHttp(url: URL, status: number): Promise<HttpConnection> {
	const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true }).setEncoding("latin1");
	await once(socket, "connect");
	const expected = `HTTP/1.1 ${status} `;
	let received = "";
	let answer = Promise.withResolvers<string>();
	// Nobody waits for an answer before the first request.
	answer.promise.catch(() => {});
	const fail = (message: string) => answer.reject(new Error(message));
	socket.on("error", ({ message }) => fail(message)).on("close", () => fail("the server closed the connection"));
	socket.on("data", (part: string) => {
		received += part;
		const headEnd = received.indexOf(HEAD_END);
		if (headEnd < 0) return;
		const head = received.slice(0, headEnd);
		const length = LENGTH.exec(head)?.[1];
		if (!head.startsWith(expected) || length === undefined) return fail(`not ${expected}: ${received}`);
		if (received.length < headEnd + HEAD_END.length + Number(length)) return;
		received = "";
		answer.resolve(head);
	});
	return {
		send(request) {
			answer = Promise.withResolvers();
			if (socket.destroyed) fail("the server has closed the connection");
			else socket.write(request);
			return answer.promise;
		},
		close: () => socket.destroy()
	};
}

/**
 * Connections live for one round, because a server may close idle ones between rounds. An answer with an unexpected status, or without a
 * Content-Length, fails the measure.
 */
export async function httpLoad(
	url: string,
	ms: number,
	{ connections, status, request }: { connections: number; status: number; request: () => string }
): Promise<Round> {
	const opened = await Promise.all(Array.from({ length: connections }, () => openHttp(new URL(url), status)));
	const latenciesMs: number[] = [];
	const startMs = performance.now();
	const endMs = startMs + ms;
	/** Sends the next request as soon as the last one is answered, until the time is up. */
	const sendOn = async (connection: HttpConnection) => {
		for (let nowMs = performance.now(); nowMs <= endMs; ) {
			const sentMs = nowMs;
			await connection.send(request());
			nowMs = performance.now();
			latenciesMs.push(nowMs - sentMs);
		}
	};
	try {
		await Promise.all(opened.map(sendOn));
		return { operations: latenciesMs.length, elapsedMs: performance.now() - startMs, latenciesMs };
	} finally {
		for (const connection of opened) connection.close();
	}
}
