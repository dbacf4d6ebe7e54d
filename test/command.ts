// One of the project's commands as a person or a script would run it.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const root = new URL("..", import.meta.url);

export interface Ran {
	code: number | null;
	out: string;
	err: string;
}

/**
 * Runs a file of the project (`demo/seed.ts`) without npm, with this on its standard input, or with none. Of this process's own environment it gets only
 * what finds programs and temporary files.
 */
export async function runCommand(file: string, args: string[], env: Record<string, string>, input?: string): Promise<Ran> {
	const { PATH = "", HOME = "", TMPDIR = "/tmp", SystemRoot = "" } = process.env;
	const child = spawn(process.execPath, [file, ...args], {
		cwd: root,
		env: { PATH, HOME, TMPDIR, SystemRoot, ...env },
		stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
		timeout: 120_000,
		killSignal: "SIGKILL"
	});
	// Whoever refuses its arguments reads nothing.
	child.stdin?.on("error", () => {}).end(input);
	const ended = new Promise<number | null>(resolve => child.once("close", resolve));
	const [out, err, code] = await Promise.all([text(child.stdout!), text(child.stderr!), ended]);
	return { code, out, err };
}
