// The HTTP server with its timeouts and limits: slow clients are disconnected, and invalid requests get errors in our JSON shape.
import { createServer, IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Socket } from "node:net";
import { badRequest, type HttpError, headersTooLarge, notFound, requestTimeout, sendError } from "./http-error.ts";
import { rejectUpgrade } from "./reject-upgrade.ts";

export interface Timeouts {
	/** From the connection, or the first byte of the next request on it, to the end of the headers. */
	headersMs: number;
	/** From the end of the headers to the end of the body. */
	requestMs: number;
	/** How long a client may take to read a response. */
	responseMs: number;
	/** How often these timeouts are checked: each may last this much longer. */
	checkEveryMs: number;
}

export const TIMEOUTS: Timeouts = { headersMs: 10_000, requestMs: 30_000, responseMs: 30_000, checkEveryMs: 1_000 };

/** Longer than proxies and clients keep idle connections, so that they close them: a connection that we close may carry a new request already. */
const KEEP_ALIVE_MS = 75_000;
const MAX_HEADERS = 100;
const MAX_HEADERS_BYTES = 16 * 1024;
/** Each piece of a body costs some hundred bytes until the body is read, however short it is. */
const MAX_BODY_PIECES = 512;

/** Our errors for the errors of Node's HTTP parser, by their `code`; others become 400. */
const PARSER_ERRORS: Record<string, HttpError> = {
	HPE_HEADER_OVERFLOW: headersTooLarge,
	ERR_HTTP_REQUEST_TIMEOUT: requestTimeout
};

const hasBody = ({ headers }: IncomingMessage) =>
	headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

const isHost = (name: string) => name.length === 4 && name.toLowerCase() === "host";

/** The error of a request that Node accepts but other HTTP parsers could read differently (request smuggling); undefined if there is none. */
export function requestError(req: IncomingMessage): HttpError | undefined {
	const { method, rawHeaders, httpVersionMinor } = req;
	if (rawHeaders.length > 2 * MAX_HEADERS) return headersTooLarge;
	let hosts = 0;
	for (let n = 0; n < rawHeaders.length; n += 2) if (isHost(rawHeaders[n] as string)) hosts++;
	if (hosts > 1 || (hosts === 0 && httpVersionMinor > 0)) return badRequest("Send one Host header");
	if ((method === "GET" || method === "HEAD") && hasBody(req)) return badRequest(`${method} must not have a body`);
	return undefined;
}

/** A request whose body arrives in a bounded number of pieces: a client chooses their lengths, as chunks or as packets. */
class BoundedRequest extends IncomingMessage {
	pieces = 0;

	override push(piece: Uint8Array | null, encoding?: BufferEncoding) {
		if (++this.pieces <= MAX_BODY_PIECES || piece === null) return super.push(piece, encoding);
		this.destroy(new Error("the body arrives in too many pieces"));
		return false;
	}
}

export function httpServer({ headersMs, requestMs, checkEveryMs }: Timeouts, handle: RequestListener): Server {
	const server = createServer(
		{
			headersTimeout: headersMs,
			requestTimeout: headersMs + requestMs,
			connectionsCheckingInterval: checkEveryMs,
			keepAliveTimeout: KEEP_ALIVE_MS,
			maxHeaderSize: MAX_HEADERS_BYTES,
			IncomingMessage: BoundedRequest,
			// requestError checks it: Node's own 400 has no body.
			requireHostHeader: false,
			// A client that offers h2c, such as Java's, gets an HTTP/1.1 response.
			shouldUpgradeCallback: req => req.headers.upgrade?.toLowerCase() === "websocket"
		},
		handle
	);
	// Node silently drops headers above this number: one above our limit, so that requestError can detect too many.
	server.maxHeadersCount = MAX_HEADERS + 1;
	server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
		// A response is being written: an error now would be read as part of it.
		if (error.code === "ECONNRESET" || !socket.writable || socket.writableLength > 0) return socket.destroy();
		rejectUpgrade(socket, PARSER_ERRORS[error.code ?? ""] ?? badRequest("This request cannot be read"));
	});
	server.on("checkExpectation", (_req, res) =>
		sendError(res, { ...badRequest("Expect: 100-continue is the only supported expectation"), code: 417 })
	);
	server.on("connect", (_req, socket) => rejectUpgrade(socket, notFound));
	return server;
}
