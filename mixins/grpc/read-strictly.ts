/**
 * Reads requests exactly as they were sent, or refuses them. protobufjs repairs them: it replaces bytes that are not UTF-8, shortens a text that is cut,
 * and reads a cut 64-bit number as a smaller one.
 */
import { isUtf8 } from "node:buffer";
import type { MethodDefinition } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { invalid } from "../errors.ts";

type Method = MethodDefinition<object, object>;

class StrictReader extends protobuf.BufferReader {
	override string() {
		const bytes = this.bytes();
		if (!isUtf8(bytes)) throw new Error("a text is not UTF-8");
		return bytes.toString();
	}

	override int64() {
		return this.#complete(super.int64());
	}

	override uint64() {
		return this.#complete(super.uint64());
	}

	override sint64() {
		return this.#complete(super.sint64());
	}

	#complete<Value>(value: Value): Value {
		// The last byte of a number is the first below 128.
		if (this.pos > this.len || (this.buf[this.pos - 1] ?? 0) >= 128) throw new RangeError("a number is cut short");
		return value;
	}
}

/** Stands for a request that cannot be read: grpc-js would answer INTERNAL if its deserializer threw. */
export class UnreadableRequest {
	/** 422 `VALIDATION_ERROR`. */
	readonly error: Error;

	constructor(reason: unknown) {
		this.error = invalid([
			{ field: "", message: `The request cannot be read as its message type (${(reason as Error).message})` }
		]);
	}
}

/** The request, unless it cannot be read: then throws 422 `VALIDATION_ERROR`. */
export function requireReadable<Request>(request: Request | UnreadableRequest): Request {
	if (request instanceof UnreadableRequest) throw request.error;
	return request;
}

/** The method, with requests that are read strictly: an `UnreadableRequest` takes the place of one that cannot be read. */
export const readStrictly = (method: Method): Method => ({
	...method,
	requestDeserialize(bytes) {
		try {
			// protobufjs takes a reader in the place of the bytes.
			return method.requestDeserialize(new StrictReader(bytes) as unknown as Buffer);
		} catch (error) {
			return new UnreadableRequest(error);
		}
	}
});
