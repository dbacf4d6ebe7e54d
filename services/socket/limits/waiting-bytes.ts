// Bounds the memory that slow readers of one address use together, beside the 64 KiB that each of their sockets may have in its own buffer.

/** Each socket may have a sixty-fourth of it: so many clients of one address may read slowly at the same time. */
const MAX_BYTES = 64 * 1024 * 1024;

/** One for all sockets of an address. */
export class WaitingBytes {
	#bytes = 0;

	/** Adds to the waiting bytes; negative when bytes were sent or dropped. */
	add(bytes: number) {
		this.#bytes += bytes;
	}

	isFull() {
		return this.#bytes > MAX_BYTES;
	}
}
