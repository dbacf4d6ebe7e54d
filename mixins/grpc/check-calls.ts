/**
 * Checks each call before grpc-js handles it. grpc-js limits neither the open streams of a peer nor the size of metadata, creates a decompressor for
 * each message of a stream at once, and treats a deadline beyond 2^31 ms as one that has passed.
 */
import { EventEmitter } from "node:events";
import type { Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { type Server, status } from "@grpc/grpc-js";
import { openPerAddress } from "../limits/open-per-address.ts";
import { refuseCutMessages } from "./cut-messages.ts";
import { perTurn } from "./per-turn.ts";
import { refuse } from "./refuse.ts";
import type { Status } from "./status.ts";

export interface CallLimits {
	/** Open calls of one address over all its connections. Beyond it: RESOURCE_EXHAUSTED. 0: no limit. Default: 1000. */
	maxCallsPerAddress?: number;
	/**
	 * The address under which a connection is counted; undefined for a connection that is not counted, such as a proxy's. Default: the peer's IP address.
	 */
	addressOf: (connection: Pick<Socket, "remoteAddress">) => string | undefined;
}

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => void;

const MAX_METADATA_BYTES = 16 * 1024;
const TIMEOUT = /^(\d{1,8})\s*([HMSmun])$/;
const UNIT_SECONDS: Record<string, number> = { H: 3600, M: 60, S: 1 };
/** The longest delay of a timer in Node is 2^31-1 ms. */
const LONGEST_TIMEOUT_SECONDS = 2_147_483;

/** Calls of one address that start in one turn of the event loop: their start takes about a millisecond. */
const STARTED_PER_TURN = 8;

const ignoreError = () => {};

const bytesOf = (rawHeaders: string[]) => {
	let bytes = 0;
	for (const text of rawHeaders) bytes += text.length;
	return bytes;
};

/** Replaces a client's timeout that no timer can hold by the longest possible. Returns false for a malformed one. */
function boundTimeout(headers: IncomingHttpHeaders): boolean {
	const given = headers["grpc-timeout"];
	if (given === undefined) return true;
	const [, digits, unit] = TIMEOUT.exec(String(given)) ?? [];
	if (unit === undefined) return false;
	if (Number(digits) * (UNIT_SECONDS[unit] ?? 0) > LONGEST_TIMEOUT_SECONDS)
		headers["grpc-timeout"] = `${LONGEST_TIMEOUT_SECONDS}S`;
	return true;
}

function refusalOf(headers: IncomingHttpHeaders, rawHeaders: string[]): Status | undefined {
	if (bytesOf(rawHeaders) > MAX_METADATA_BYTES)
		return { code: status.RESOURCE_EXHAUSTED, details: `Metadata must not exceed ${MAX_METADATA_BYTES} bytes` };
	const encoding = headers["grpc-encoding"] ?? "identity";
	if (encoding !== "identity") return { code: status.UNIMPLEMENTED, details: "Compressed messages are not supported" };
	if (!boundTimeout(headers)) return { code: status.INVALID_ARGUMENT, details: "grpc-timeout must be 1 to 8 digits and a unit" };
	return undefined;
}

/** The http2 server inside a server of grpc-js, which does not export it. */
function http2ServerOf(server: Server): Http2Server {
	const servers: unknown = Reflect.get(server, "http2Servers");
	const [http2Server] = servers instanceof Map ? servers.keys() : [];
	if (http2Server instanceof EventEmitter && http2Server.listenerCount("stream") === 1) return http2Server as Http2Server;
	throw new Error("gRPC cannot limit its calls with this version of @grpc/grpc-js: install 1.14");
}

/** Applies the limits to the calls of a server that has one connection injector. `requestStreams`: the paths of methods with a stream of requests. */
export function checkCalls(server: Server, requestStreams: Set<string>, { maxCallsPerAddress = 1_000, addressOf }: CallLimits) {
	const calls = openPerAddress(maxCallsPerAddress);
	const addresses = new WeakMap<Http2Session, { address: string | undefined }>();
	const addressOfSession = (session: Http2Session) => {
		const known = addresses.get(session);
		if (known) return known.address;
		const address = addressOf(session.socket);
		addresses.set(session, { address });
		return address;
	};
	const tooMany: Status = { code: status.RESOURCE_EXHAUSTED, details: `At most ${maxCallsPerAddress} open calls of one address` };
	const startInTurn = perTurn(STARTED_PER_TURN);
	/** Counts a call until its stream is closed, which is after its answer when the client has not ended its requests. */
	const count = (stream: ServerHttp2Stream, address: string | undefined): boolean => {
		if (address === undefined) return true;
		if (!calls.open(address)) return false;
		stream.once("close", () => calls.close(address));
		return true;
	};

	const http2Server = http2ServerOf(server);
	const [handle] = http2Server.listeners("stream") as [StreamListener];
	const check: StreamListener = (stream, headers, flags, rawHeaders) => {
		// The client may reset the stream at any time, which must not end the process.
		stream.on("error", ignoreError);
		// It may have done so already: answering a closed stream would throw.
		if (stream.closed || stream.destroyed) return;
		const address = stream.session && addressOfSession(stream.session);
		const refusal = refusalOf(headers, rawHeaders) ?? (count(stream, address) ? undefined : tooMany);
		if (refusal) return refuse(stream, refusal);
		const start = () => {
			if (stream.closed || stream.destroyed) return;
			handle(stream, headers, flags, rawHeaders);
			// Without its one request a call is refused by grpc-js.
			if (requestStreams.has(headers[":path"] ?? "")) refuseCutMessages(stream);
		};
		if (address === undefined) start();
		else startInTurn(address, start);
	};
	http2Server.removeAllListeners("stream").on("stream", check);
}
