import { redact } from "./redact.ts";

/** Ends the process with one line that says why it cannot start and what to do: for what no waiting would mend. */
export function exitWithError(line: string): never {
	console.error(redact(line));
	process.exit(1);
}
