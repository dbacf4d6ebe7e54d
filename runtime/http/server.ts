// The HTTP server with its timeouts and limits: slow clients are disconnected, and invalid requests get errors in our JSON shape.
import { createServer, IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { badRequest, type HttpError, headersTooLarge, notFound, payloadTooLarge, requestTimeout } from "./http-error.ts";
import { rawResponse, rejectUpgrade } from "./reject-upgrade.ts";
import { MAX_BODY_BYTES } from "./request-cost.ts";
import { isCompressed, MAX_HEADERS } from "./request-error.ts";
import { assignRequestID } from "./request-id.ts";

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
const MAX_HEADERS_BYTES = 16 * 1024;
/** Each piece of a body costs time, and some hundred bytes until the body is read, however short it is. */
const MAX_BODY_PIECES = 2_048;
/** A large body arrives in more pieces, but not in such short ones. */
const MIN_PIECE_BYTES = 512;
/** How long the client has to read the 413 for a body that is refused while it arrives. */
const LINGER_MS = 1_000;

/** Our errors for the errors of Node's HTTP parser, by their `code`; others become 400. */
const PARSER_ERRORS: Record<string, HttpError> = {
	HPE_HEADER_OVERFLOW: headersTooLarge,
	ERR_HTTP_REQUEST_TIMEOUT: requestTimeout
};

/** The response that a connection waits for, in a property that Node does not document; undefined while no request on it is being answered. */
export const responseOf = (socket: Socket) => (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;

/** What the WebSocket protocol requires of a handshake: https://www.rfc-editor.org/rfc/rfc6455#section-4.2.1; `ws` also speaks version 8. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const VERSION = /^(13|8)$/;

/** Whether a request starts a WebSocket. Any other Upgrade header is ignored, and the request is answered like one without it (RFC 9110, 7.8). */
export const isHandshake = (req: IncomingMessage): boolean =>
	req.method === "GET" &&
	req.headers.upgrade?.toLowerCase() === "websocket" &&
	KEY.test(req.headers["sec-websocket-key"] ?? "") &&
	VERSION.test(req.headers["sec-websocket-version"] ?? "");

/** Sends an error on a raw socket and closes it; `req`: the request, unless it could not be read; `headers`: further header lines. */
export type Reject = (socket: Duplex, error: HttpError, req?: IncomingMessage, headers?: readonly string[]) => unknown;

export interface ServerOptions {
	/** Answers unreadable requests and CONNECT, for which Node creates no response object. */
	reject?: Reject;
	/** Which requests become upgrades; all others, and by default every one, are handled like requests without an Upgrade header. */
	isUpgrade?: (req: IncomingMessage) => boolean;
}

/**
 * A request whose body may arrive in a limited number of short pieces: a client chooses their lengths, as chunks or as packets. The bytes of a compressed body
 * are limited too: they may decompress to nothing, and then the limit of decompressed bytes is never reached. Beyond these limits the request gets 413,
 * and its connection is closed.
 */
class BoundedRequest extends IncomingMessage {
	pieces = 0;
	bytes = 0;
	isRefused = false;

	override push(piece: Uint8Array | null, encoding?: BufferEncoding) {
		// The rest is read and dropped: TCP would reset a connection that is closed with unread bytes. The end is dropped too, so that the part of the body
		// that was kept does not count as a whole one.
		if (this.isRefused) return true;
		if (piece === null) return super.push(piece, encoding);
		this.bytes += piece.length;
		const isInPieces = ++this.pieces > MAX_BODY_PIECES && this.bytes < this.pieces * MIN_PIECE_BYTES;
		if (!isInPieces && !(this.bytes > MAX_BODY_BYTES && isCompressed(this))) return super.push(piece, encoding);
		this.isRefused = true;
		this.#refuse();
		return true;
	}

	#refuse() {
		const { socket } = this;
		const response = responseOf(socket);
		// The client would read this answer as a part of the response that has begun, or as the response to an earlier request.
		if (response?.req !== this || response.headersSent) return void this.destroy();
		socket.end(rawResponse(payloadTooLarge, assignRequestID(this)));
		const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
		socket.once("close", () => clearTimeout(timer));
	}
}

export function httpServer(
	{ headersMs, requestMs, checkEveryMs }: Timeouts,
	handle: RequestListener,
	{ reject = rejectUpgrade, isUpgrade = () => false }: ServerOptions = {}
): Server {
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
			shouldUpgradeCallback: isUpgrade
		},
		handle
	);
	// Node silently drops headers above this number: one above our limit, so that requestError can detect too many.
	server.maxHeadersCount = MAX_HEADERS + 1;
	/** Sockets that were answered: the parser reports the error again for each further packet. */
	const rejected = new WeakSet<Socket>();
	server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
		if (rejected.has(socket)) return;
		rejected.add(socket);
		// A response is being written: an error now would be read as part of it.
		if (error.code === "ECONNRESET" || !socket.writable || socket.writableLength > 0) return socket.destroy();
		reject(socket, PARSER_ERRORS[error.code ?? ""] ?? badRequest("This request cannot be read"));
	});
	server.on("checkExpectation", handle);
	server.on("connect", (req, socket) => reject(socket, notFound, req));
	return server;
}
