// An HTTP server that neither slow nor odd clients can hold up, and whose every answer has the one shape of our errors.
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { badRequest, type HttpError, headersTooLarge, notFound, requestTimeout, sendError } from "./http-error.ts";
import { rejectUpgrade } from "./reject-upgrade.ts";

export interface Timeouts {
	/** From the connection, or the first byte of a further request, to the end of its headers. */
	headersMs: number;
	/** From there to the end of its body. */
	requestMs: number;
	/** That an answer may lie ready without being read to its end. */
	responseMs: number;
	/** How often all of these are looked at: each may take so much longer. */
	checkEveryMs: number;
}

export const TIMEOUTS: Timeouts = { headersMs: 10_000, requestMs: 30_000, responseMs: 30_000, checkEveryMs: 1_000 };

/** Longer than proxies and clients keep a connection that they do not use, so that it is they who end it: one that we end may be just taking a request. */
const KEEP_ALIVE_MS = 75_000;
const MAX_HEADERS = 100;
const MAX_HEADERS_BYTES = 16 * 1024;

/** What Node's parser says of what it cannot take, by the `code` of its errors. */
const PARSER_ERRORS: Record<string, HttpError> = {
	HPE_HEADER_OVERFLOW: headersTooLarge,
	ERR_HTTP_REQUEST_TIMEOUT: requestTimeout
};

const hasBody = ({ headers }: IncomingMessage) =>
	headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

const isHost = (name: string) => name.length === 4 && name.toLowerCase() === "host";

/** What is wrong with a request that Node could read: what different readers would take for different things. */
export function requestError(req: IncomingMessage): HttpError | undefined {
	const { method, rawHeaders, httpVersionMinor } = req;
	if (rawHeaders.length > 2 * MAX_HEADERS) return headersTooLarge;
	let hosts = 0;
	for (let n = 0; n < rawHeaders.length; n += 2) if (isHost(rawHeaders[n] as string)) hosts++;
	if (hosts > 1 || (hosts === 0 && httpVersionMinor > 0)) return badRequest("Send one Host header");
	if ((method === "GET" || method === "HEAD") && hasBody(req)) return badRequest(`A ${method} has no body`);
	return undefined;
}

export function httpServer({ headersMs, requestMs, checkEveryMs }: Timeouts, handle: RequestListener): Server {
	const server = createServer(
		{
			headersTimeout: headersMs,
			requestTimeout: headersMs + requestMs,
			connectionsCheckingInterval: checkEveryMs,
			keepAliveTimeout: KEEP_ALIVE_MS,
			maxHeaderSize: MAX_HEADERS_BYTES,
			// Node's own answers say too little.
			requireHostHeader: false,
			// Whoever offers h2c, as Java's client does, is answered in HTTP/1.1.
			shouldUpgradeCallback: req => req.headers.upgrade?.toLowerCase() === "websocket"
		},
		handle
	);
	// Of more than this Node leaves out the rest without a word: one more than is let in, so that it can be seen.
	server.maxHeadersCount = MAX_HEADERS + 1;
	server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
		// In the midst of another answer this one would be taken for a part of it.
		if (error.code === "ECONNRESET" || !socket.writable || socket.writableLength > 0) return socket.destroy();
		rejectUpgrade(socket, PARSER_ERRORS[error.code ?? ""] ?? badRequest("This request cannot be read"));
	});
	server.on("checkExpectation", (_req, res) =>
		sendError(res, { ...badRequest("Nothing but 100-continue may be expected"), code: 417 })
	);
	server.on("connect", (_req, socket) => rejectUpgrade(socket, notFound));
	return server;
}
