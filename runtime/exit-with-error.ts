import { redact } from "./redact.ts";

/** Prints a line about an error. Redacted, because it may go to a log, unless it goes to a person's own terminal. */
export const printError = (line: string) => console.error(process.stderr.isTTY ? line : redact(line));

/** Prints one line that says why the process cannot run and what to do, and exits with 1. For errors that a retry cannot repair. */
export function exitWithError(line: string): never {
	printError(line);
	process.exit(1);
}

/** Prints how a command is used, and exits with 1. Not redacted: the text contains only examples, no arguments. */
export function exitWithUsage(usage: string): never {
	console.error(usage);
	process.exit(1);
}
