// The command as a person or a script would run it.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

const root = new URL("../../", import.meta.url);

/** Runs `npm run deadletters -- ...args` without npm. */
export async function deadlettersCommand(env: Record<string, string>, ...args: string[]) {
	const { PATH = "", HOME = "", TMPDIR = "/tmp", SystemRoot = "" } = process.env;
	const child = spawn(process.execPath, ["services/deadletters/deadletters.command.ts", ...args], {
		cwd: root,
		env: { PATH, HOME, TMPDIR, SystemRoot, ...env },
		stdio: ["ignore", "pipe", "pipe"],
		timeout: 120_000,
		killSignal: "SIGKILL"
	});
	const ended = new Promise<number | null>(resolve => child.once("close", resolve));
	const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
	return { code, out, err };
}
