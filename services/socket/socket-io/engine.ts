// Engine.IO, the transport of Socket.IO: which handshakes it accepts, and what its WebSockets may send beside the packets that it reports.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { type ServerOptions, WebSocket, WebSocketServer } from "ws";
import { type TokenBucket, tokenBucket } from "../../../mixins/limits/token-bucket.ts";
import { clientOf, type Trusted } from "../../../runtime/http/client-address.ts";
import type { Release } from "../../../runtime/http/connections.ts";
import { badRequest, type HttpError, originNotAllowed, sendError, tooManyRequests } from "../../../runtime/http/http-error.ts";
import type { HttpListener } from "../../../runtime/http/open-listener.ts";
import { isAllowedOrigin } from "../../../runtime/http/origin.ts";
import { rejectUpgrade } from "../../../runtime/http/reject-upgrade.ts";
import { type FragmentListener, listenToFragments, rejectHandshake, WEB_SOCKET_OPTIONS } from "../limits/web-socket.ts";
import type { Packet } from "./packets.ts";

/** `res`: undefined for an upgrade. */
export type EngineRequest = IncomingMessage & { res?: ServerResponse; websocket?: WebSocket };

interface Transport {
	name: string;
	/** By WebSocket: the kernel has taken all packets. */
	writable: boolean;
	socket?: EngineSocket;
}

/** Engine.IO's socket, which carries a client's packets by polling or by WebSocket. */
export interface Connection {
	request: EngineRequest;
	readyState: string;
	transport: Transport;
	/** Packets that the transport has not taken yet. */
	writeBuffer: Packet[];
	/** `discard`: at once. The client reconnects by itself, with a fresh token; after a disconnect packet it would not. */
	close(discard: boolean): void;
	/** `packet`: from the client; `packetCreate`: to the client. */
	on(event: "packet" | "packetCreate", listener: (packet: Packet) => void): void;
	off(event: "packetCreate", listener: (packet: Packet) => void): void;
	once(event: "close", listener: () => void): void;
	once(event: "upgrade", listener: (transport: Transport) => void): void;
}

export interface Engine {
	on(event: "connection", listener: (connection: Connection) => void): void;
	on(event: "connection_error", listener: (failed: { req: EngineRequest; message: string }) => void): void;
	close(): void;
	ws: EngineSocketServer;
	/** By session id. */
	clients: Record<string, Connection>;
	clientsCount: number;
}

/** Socket.IO's clients send pings, pongs and fragments on their WebSocket rarely or never. */
const UNREPORTED = { perSecond: 10, burst: 100 };

/** Counts the frames for which Engine.IO emits no event. */
class EngineSocket extends WebSocket implements FragmentListener {
	/** Whether it carries a connection, whose packets are counted. Before that, Engine.IO answers its messages itself. */
	isConnected = false;
	#unreported: TokenBucket | undefined = undefined;

	onFragment() {
		this.#count();
	}

	override emit(event: string | symbol, ...values: unknown[]): boolean {
		const isUnreported = event === "ping" || event === "pong" || (event === "message" && !this.isConnected);
		if (isUnreported && !this.#count()) return false;
		return super.emit(event, ...values);
	}

	/** Disconnects a client that sends too many. */
	#count() {
		const nowMs = performance.now();
		this.#unreported ??= tokenBucket(UNREPORTED.perSecond, nowMs, UNREPORTED.burst);
		if (this.#unreported.take(nowMs)) return true;
		this.terminate();
		return false;
	}
}

/** Engine.IO's WebSocket server, with our options. */
export class EngineSocketServer extends WebSocketServer<typeof EngineSocket> {
	constructor(options: ServerOptions) {
		// One message in a turn of the event loop: thousands may arrive in one piece, and Engine.IO has no queue for them.
		const own = { WebSocket: EngineSocket, allowSynchronousEvents: false };
		super({ ...options, ...WEB_SOCKET_OPTIONS, ...own } as ServerOptions<typeof EngineSocket>);
	}

	override handleUpgrade(
		req: IncomingMessage,
		socket: Duplex,
		head: Buffer,
		done: (ws: EngineSocket, req: IncomingMessage) => void
	) {
		super.handleUpgrade(req, socket, head, ws => {
			listenToFragments(ws);
			done(ws, req);
		});
	}
}

export interface HandshakeOptions {
	allowedOrigins: readonly string[];
	isTrusted: Trusted;
}

/** Counts the sessions that clients open by polling: several may share a TCP connection, and a session may outlive it. */
export function handshakes({ allowedOrigins, isTrusted }: HandshakeOptions) {
	const polling = new WeakMap<IncomingMessage, { release: Release; res: ServerResponse }>();

	return {
		/** Calls `accept`, or answers 403 or 429. */
		check(req: EngineRequest, { connections, reject }: Pick<HttpListener, "connections" | "reject">, accept: () => void) {
			const refuse = (error: HttpError) => (req.res ? sendError(req.res, error) : reject(req.socket, error, req));
			const { address, isSecure } = clientOf(req, isTrusted);
			if (!isAllowedOrigin(req, allowedOrigins, isSecure)) return refuse(originNotAllowed);
			const { res } = req;
			if (res) {
				const release = connections.acquire(address);
				if (!release) return refuse(tooManyRequests);
				polling.set(req, { release, res });
				// If no session is opened, the request's end releases it.
				res.once("close", release);
			}
			accept();
		},

		/** Answers the handshakes that Engine.IO refuses in our JSON shape, and counts a polling session until it ends or changes to WebSocket. */
		listen(engine: Engine, { reject }: Pick<HttpListener, "reject">) {
			engine.ws.on("wsClientError", rejectHandshake(reject));
			engine.on("connection_error", ({ req, message }) => {
				// The handshake of an open WebSocket fails without an answer.
				if (req.websocket) return;
				const error = badRequest(message);
				if (req.res) return sendError(req.res, error);
				// Engine.IO closes the connection now. `reject` would answer too late: it is called only to count the request.
				rejectUpgrade(req.socket, error, req);
				reject(req.socket, error, req);
			});
			engine.on("connection", connection => {
				const { request, transport } = connection;
				if (transport.socket) transport.socket.isConnected = true;
				const { release, res } = polling.get(request) ?? {};
				if (!release) return;
				res?.off("close", release);
				connection.once("close", release);
				connection.once("upgrade", ({ socket }) => {
					// From now on its TCP connection is counted instead.
					release();
					if (socket) socket.isConnected = true;
				});
			});
		}
	};
}
