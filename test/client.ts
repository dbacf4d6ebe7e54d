// A small real HTTP client, and what every story needs beside it: ids of its own, and waiting for a condition.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";

export const WAIT_MS = 30_000;

/** An id that nobody has used. */
export const fresh = (what = "id") => `${what}-${randomUUID()}`;

/** Repeats a check until it answers without throwing, and answers what it answered. */
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
	/** The answer's JSON; undefined where it is none. */
	// biome-ignore lint/suspicious/noExplicitAny: what the other side answers is what the tests are about
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

/** An HTTP client of one address. A body that is a text or bytes goes out as it is; any other as JSON. */
export const httpClient = (base: string) => ({
	get: (path: string, headers: Record<string, string> = {}) => call(new URL(path, base), "GET", headers),
	post: (path: string, body?: Body, headers: Record<string, string> = {}) =>
		call(new URL(path, base), "POST", { "content-type": "application/json", ...headers }, body),
	send: (method: string, path: string, headers: Record<string, string> = {}, body?: Body) =>
		call(new URL(path, base), method, headers, body)
});

/** A request whose path goes out as it stands: `fetch` would tidy `..` away before anybody sees it. */
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

/** What comes back for bytes that go out as they stand, until the other side hangs up. */
export async function exchange(base: string, sent: string): Promise<string> {
	const { hostname, port } = new URL(base);
	const socket = connect(Number(port), hostname);
	socket.setTimeout(WAIT_MS, () => socket.destroy(new Error(`not hung up within ${WAIT_MS} ms of silence`)));
	let text = "";
	socket.setEncoding("utf8").on("data", part => {
		text += part;
	});
	socket.write(sent);
	await once(socket, "close");
	return text;
}
