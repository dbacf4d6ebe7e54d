// Ids for picks and purchases: what makes sending one twice harmless.

const hex = byte => byte.toString(16).padStart(2, "0");

/** A random UUID (RFC 9562, version 4). `crypto.randomUUID` is missing where the page was not loaded over HTTPS or from this machine. */
export function freshId() {
	if (crypto.randomUUID) return crypto.randomUUID();
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	bytes[6] = (bytes[6] & 0x0f) | 0x40;
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	return Array.from(bytes, hex)
		.join("")
		.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
