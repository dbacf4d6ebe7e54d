import { redact } from "./redact.ts";

/** Shows this process's warnings without secrets. */
export function showWarnings() {
	process.removeAllListeners("warning");
	process.on("warning", ({ name, message }) => console.warn(redact(`${name}: ${message}`)));
}
