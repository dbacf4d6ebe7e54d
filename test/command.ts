// Runs one of the project's commands as a user or a script does.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const root = new URL("..", import.meta.url);

export interface CommandResult {
	code: number | null;
	out: string;
	err: string;
}

/**
 * Runs a file of the project (`demo/seed.ts`) with Node, with this standard input or none. From the environment of this process it gets only
 * the variables that locate programs and temporary files.
 */
export async function runCommand(
	file: string,
	args: string[],
	env: Record<string, string>,
	input?: string
): Promise<CommandResult> {
	const { PATH = "", HOME = "", TMPDIR = "/tmp", SystemRoot = "" } = process.env;
	const child = spawn(process.execPath, [file, ...args], {
		cwd: root,
		env: { PATH, HOME, TMPDIR, SystemRoot, ...env },
		stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
		timeout: 120_000,
		killSignal: "SIGKILL"
	});
	// A command that rejects its arguments closes its standard input unread.
	child.stdin?.on("error", () => {}).end(input);
	const ended = new Promise<number | null>(resolve => child.once("close", resolve));
	const [out, err, code] = await Promise.all([text(child.stdout!), text(child.stderr!), ended]);
	return { code, out, err };
}
