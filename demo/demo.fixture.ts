// The demo's commands as a person would run them.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** Runs a command without npm; of this process's own environment it gets only what finds programs and temporary files. */
export async function runDemo(script: "seed" | "traffic", args: string[], env: Record<string, string>) {
	const { PATH = "", HOME = "", TMPDIR = "/tmp", SystemRoot = "" } = process.env;
	const child = spawn(process.execPath, [`demo/${script}.ts`, ...args], {
		cwd: new URL("..", import.meta.url),
		env: { PATH, HOME, TMPDIR, SystemRoot, ...env },
		stdio: ["ignore", "pipe", "pipe"],
		timeout: 120_000,
		killSignal: "SIGKILL"
	});
	const ended = new Promise<number | null>(resolve => child.once("close", resolve));
	const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
	return { code, out, err };
}
