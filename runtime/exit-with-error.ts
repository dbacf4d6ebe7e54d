import { redact } from "./redact.ts";

/** Prints one line that says why the process cannot run and what to do, and exits with 1. For errors that a retry cannot repair. */
export function exitWithError(line: string): never {
	console.error(redact(line));
	process.exit(1);
}
