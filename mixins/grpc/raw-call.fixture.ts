// gRPC calls as raw HTTP/2 streams, to send what no gRPC library would send.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from "node:http2";
import { withTimeout } from "../deadline.ts";

const WAIT_MS = 20_000;

/** Rejects, naming what was waited for, if it takes unreasonably long. */
export const within = <T>(work: Promise<T>, what: string): Promise<T> =>
	withTimeout(work, WAIT_MS, () => assert.fail(`waited ${WAIT_MS} ms for ${what}`));

export async function openSession(port: number): Promise<ClientHttp2Session> {
	const session = connect(`http://127.0.0.1:${port}`);
	// A test that closes its server may reset the session.
	session.on("error", () => {});
	await within(once(session, "connect"), "a connection");
	return session;
}

/** A message as it is sent: a flag for compression, its length, its bytes. */
export function framed(message: Uint8Array, flag = 0): Buffer {
	const head = Buffer.alloc(5);
	head[0] = flag;
	head.writeUInt32BE(message.length, 1);
	return Buffer.concat([head, message]);
}

/** A field of type string or bytes with these bytes, and the length that the sender claims. */
export function textField(number: number, bytes: Uint8Array, length = bytes.length): Buffer {
	const head = [(number << 3) | 2];
	for (; length >= 128; length >>= 7) head.push((length & 127) | 128);
	return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

export interface RawAnswer {
	/** The gRPC status; undefined if the stream ended without one. */
	code: number | undefined;
	details: string;
	/** The last headers or trailers, in which the status was. */
	headers: IncomingHttpHeaders;
	/** The messages, with their heads. */
	body: Buffer;
}

interface RawCall {
	headers?: Record<string, string | string[]>;
	/** Default: one empty message. */
	body?: Uint8Array;
	/** Whether the client ends its requests. Default: yes. */
	end?: boolean;
}

/** `answer` resolves when the status has arrived or the stream is closed; never while a call stays open. */
export function rawCall(
	session: ClientHttp2Session,
	method: string,
	{ headers = {}, body = framed(Buffer.alloc(0)), end = true }: RawCall = {}
) {
	const stream: ClientHttp2Stream = session.request({
		":method": "POST",
		":path": `/${method}`,
		"content-type": "application/grpc",
		te: "trailers",
		...headers
	});
	const chunks: Buffer[] = [];
	const answer = new Promise<RawAnswer>(resolve => {
		const take = (received: IncomingHttpHeaders) => {
			const code = received["grpc-status"];
			if (code === undefined) return;
			const details = decodeURI(String(received["grpc-message"] ?? ""));
			resolve({ code: Number(code), details, headers: received, body: Buffer.concat(chunks) });
		};
		stream.on("response", take);
		stream.on("trailers", take);
		stream.on("data", chunk => chunks.push(chunk));
		stream.on("error", () => {});
		stream.on("close", () => resolve({ code: undefined, details: "", headers: {}, body: Buffer.concat(chunks) }));
	});
	stream.write(body);
	if (end) stream.end();
	return { stream, answer };
}

export const answerTo = (session: ClientHttp2Session, method: string, call?: RawCall) =>
	within(rawCall(session, method, call).answer, `the answer to ${method}`);
