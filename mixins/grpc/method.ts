// Runs a handler for each of gRPC's four kinds of method. Whatever it throws becomes a status; nothing ends the process.
import { once } from "node:events";
import { Readable } from "node:stream";
import {
	type MethodDefinition,
	type ServerDuplexStream,
	type ServerReadableStream,
	type ServerUnaryCall,
	type ServerWritableStream,
	type sendUnaryData,
	status,
	type UntypedHandleCall
} from "@grpc/grpc-js";
import type { Service } from "moleculer";
import { contextOf, type GrpcContext } from "./context.ts";
import { requireReadable } from "./read-strictly.ts";
import { type Status, statusOf } from "./status.ts";

/**
 * By the method's kind in the proto file:
 * unary `(request, ctx) => Promise<answer>`, server streaming `(request, ctx) => AsyncIterable<answer>`,
 * client streaming `(requests, ctx) => Promise<answer>`, both `(requests, ctx) => AsyncIterable<answer>`.
 * `requests` is an AsyncIterable that throws when the client vanishes before it has ended them. (A client in grpc-js ends them before it cancels:
 * where a part must not be taken for all, let the last request say that it is the last.)
 * Of the answers one is asked for when the client can take it; the iterator is closed (`return()`) when the client cancels or its deadline passes.
 */
// biome-ignore lint/suspicious/noExplicitAny: the proto file fixes the shape of a request
export type GrpcHandler = (request: any, ctx: GrpcContext) => Promise<unknown> | AsyncIterable<unknown>;

export type Method = MethodDefinition<object, object>;
type Answers = ServerWritableStream<object, object> | ServerDuplexStream<object, object>;
type Requests = ServerReadableStream<object, object> | ServerDuplexStream<object, object>;

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
	typeof value === "object" && value !== null && Symbol.asyncIterator in value;

const isAbort = (error: unknown, { signal }: GrpcContext) =>
	signal.aborted && (error === signal.reason || ["AbortError", "RequestSkippedError"].includes((error as Error)?.name));

/** The status for an error; one that is not meant for the client is logged. */
function refusalOf(error: unknown, { logger }: Service, { path }: Method, ctx: GrpcContext): Status {
	// A client that has cancelled gets no status at all.
	if (isAbort(error, ctx)) return { code: status.DEADLINE_EXCEEDED, details: "The deadline has passed" };
	const refusal = statusOf(error);
	if (refusal.code === status.INTERNAL) logger.error(`gRPC ${path} failed`, error);
	return refusal;
}

async function* requestsOf(call: Requests, { signal }: GrpcContext) {
	try {
		// Destroying the stream when the handler reads no further would also end its answers.
		for await (const request of (call as Readable).iterator({ destroyOnReturn: false })) yield requireReadable(request);
		// A client in grpc-js that cancels ends its requests first; its cancellation mostly arrives in the same packet.
		await new Promise(setImmediate);
		signal.throwIfAborted();
	} catch (error) {
		throw signal.aborted || call.cancelled ? signal.reason : error;
	}
}

/** Writes answers as fast as the client reads them. Throws the signal's reason when the call is over before all are written. */
async function write(call: Answers, answers: AsyncIterable<unknown>, { signal }: GrpcContext) {
	const iterator = answers[Symbol.asyncIterator]();
	const close = () => {
		if (answers instanceof Readable) answers.destroy();
		// Not awaited: an iterator that is waiting for something closes only after that. It may throw, and this runs as an event listener.
		(async () => iterator.return?.())().catch(() => {});
	};
	signal.addEventListener("abort", close, { once: true });
	try {
		while (!signal.aborted) {
			const { done, value } = await iterator.next();
			if (signal.aborted) break;
			if (done) return;
			// No "drain" comes once the call is over.
			if (!call.write(value as object)) await once(call, "drain", { signal });
		}
		throw signal.reason;
	} catch (error) {
		close();
		throw error;
	} finally {
		signal.removeEventListener("abort", close);
	}
}

/** A handler in the form that grpc-js wants for this method. */
export function serve(service: Service, method: Method, handler: GrpcHandler): UntypedHandleCall {
	const { requestStream, responseStream } = method;

	type Call = ServerUnaryCall<object, object> | Requests | Answers;
	const run = async (call: Call, ctx: GrpcContext) =>
		handler(requestStream ? requestsOf(call as Requests, ctx) : requireReadable((call as { request: object }).request), ctx);

	const single = async (call: ServerUnaryCall<object, object> | Requests, done: sendUnaryData<object>) => {
		const ctx = contextOf(service, call);
		try {
			const answer = await run(call, ctx);
			if (isAsyncIterable(answer)) throw new TypeError("the handler must resolve to one answer, not to an AsyncIterable");
			done(null, answer as object);
		} catch (error) {
			done(refusalOf(error, service, method, ctx));
		}
	};

	const stream = async (call: Answers) => {
		const ctx = contextOf(service, call);
		try {
			const answers = await run(call, ctx);
			if (!isAsyncIterable(answers)) throw new TypeError("the handler must return an AsyncIterable");
			await write(call, answers, ctx);
			call.end();
		} catch (error) {
			// grpc-js sends what was written before, and then this status.
			call.emit("error", refusalOf(error, service, method, ctx));
		}
	};

	return (responseStream ? stream : single) as UntypedHandleCall;
}
