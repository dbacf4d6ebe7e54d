import { redact } from "./redact.ts";

/** Shows this process's warnings without secrets. */
export function printWarnings() {
	process.removeAllListeners("warning");
	process.on("warning", ({ name, message }) => console.warn(redact(`${name}: ${message}`)));
}
