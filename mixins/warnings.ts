import { redact } from "./redact.ts";

/** Shows this process's warnings without secrets. Not those of kafkajs, which sets timers in the past, thousands of them: each works as if it were set for now. */
export function showWarnings() {
	process.removeAllListeners("warning");
	process.on("warning", ({ name, message }) => {
		if (name !== "TimeoutNegativeWarning") console.warn(redact(`${name}: ${message}`));
	});
}
