// Ids for picks and purchases, which make a retry safe.

const hex = byte => byte.toString(16).padStart(2, "0");

/** A random UUID (RFC 9562, version 4). `crypto.randomUUID` exists only in secure contexts. */
export function freshId() {
	if (crypto.randomUUID) return crypto.randomUUID();
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	return Array.from(bytes, hex)
		.join("")
		.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
