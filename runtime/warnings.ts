import { redact } from "./redact.ts";

/** Prints Node's process warnings with their secrets redacted. */
export function printWarnings() {
	process.removeAllListeners("warning");
	process.on("warning", ({ name, message }) => console.warn(redact(`${name}: ${message}`)));
}
