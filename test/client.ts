// An HTTP client, and helpers that all stories need: unique ids, and waiting for a condition.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";

export const WAIT_MS = 30_000;

/** A unique id. */
export const fresh = (what = "id") => `${what}-${randomUUID()}`;

/** Repeats a check until it does not throw. Resolves to its result. */
export async function eventually<T>(check: () => T | Promise<T>, what: string, timeoutMs = WAIT_MS): Promise<T> {
	const deadline = Date.now() + timeoutMs;
	for (;;) {
		try {
			return await check();
		} catch (error) {
			if (Date.now() > deadline)
				throw new Error(`waited ${timeoutMs} ms for ${what}: ${(error as Error).message}`, { cause: error });
		}
		await new Promise(resolve => setTimeout(resolve, 100));
	}
}

export interface Answer {
	status: number;
	headers: Headers;
	text: string;
	/** The parsed body; undefined if it is not JSON. */
	// biome-ignore lint/suspicious/noExplicitAny: tests assert on whatever the server answers
	json: any;
}

type Body = object | string | Uint8Array<ArrayBuffer>;

async function call(url: URL, method: string, headers: Record<string, string>, body?: Body): Promise<Answer> {
	const sent = body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
	const response = await fetch(url, { method, headers, body: sent, redirect: "manual", signal: AbortSignal.timeout(WAIT_MS) });
	const text = await response.text();
	const json = response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : undefined;
	return { status: response.status, headers: response.headers, text, json };
}

/** An HTTP client for one base URL. A string or bytes are sent unchanged, any other body as JSON. */
export const httpClient = (base: string) => ({
	get: (path: string, headers: Record<string, string> = {}) => call(new URL(path, base), "GET", headers),
	post: (path: string, body?: Body, headers: Record<string, string> = {}) =>
		call(new URL(path, base), "POST", { "content-type": "application/json", ...headers }, body),
	send: (method: string, path: string, headers: Record<string, string> = {}, body?: Body) =>
		call(new URL(path, base), method, headers, body)
});

/** The answer, which must have this status: for requests whose effect is awaited next. */
export async function expectStatus(status: number, asked: Promise<Answer>): Promise<Answer> {
	const answer = await asked;
	if (answer.status !== status) throw new Error(`answered with ${answer.status}, not ${status}: ${answer.text}`);
	return answer;
}

/** Sends a request with an unmodified path: `fetch` would resolve `..` before sending. */
export const rawRequest = (base: string, method: string, path: string, headers: Record<string, string> = {}) =>
	new Promise<{ status: number; text: string; headers: Record<string, unknown> }>((resolve, reject) => {
		const { hostname, port } = new URL(base);
		const sent = request({ hostname, port, method, path, headers, agent: false, timeout: WAIT_MS }, response => {
			let text = "";
			response.setEncoding("utf8").on("data", part => {
				text += part;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
		});
		sent.on("timeout", () => sent.destroy(new Error(`no answer to ${method} ${path} within ${WAIT_MS} ms`)));
		sent.on("error", reject).end();
	});

/** Sends these bytes on a TCP connection. Resolves to everything received until the server closes it. */
export async function exchange(base: string, sent: string): Promise<string> {
	const { hostname, port } = new URL(base);
	const socket = connect(Number(port), hostname);
	socket.setTimeout(WAIT_MS, () =>
		socket.destroy(new Error(`the server did not close the connection within ${WAIT_MS} ms of silence`))
	);
	let text = "";
	socket.setEncoding("utf8").on("data", part => {
		text += part;
	});
	socket.write(sent);
	await once(socket, "close");
	return text;
}
