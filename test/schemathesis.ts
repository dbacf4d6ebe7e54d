// Installs a pinned schemathesis from PyPI into a virtual environment, once, in infra's cache directory.
import { execFile, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../infra/settings.ts";

const VERSION = "4.32.5";
const INSTALL_WITHIN_MS = 300_000;
const run = promisify(execFile);

const python = ["python3", "python"].find(name => {
	try {
		execFileSync(name, ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"], { stdio: "ignore" });
		return true;
	} catch {
		return false;
	}
});

/** The reason why schemathesis tests must be skipped; undefined if Python was found. */
export const noPython = python ? undefined : "no Python 3.10 or newer with venv: install python3 and python3-venv";

/** Resolves to the path of the program; installs it if necessary. */
export async function schemathesis(): Promise<string> {
	const dir = join(cacheDir, `schemathesis-${VERSION}`);
	const program = join(dir, "bin", "schemathesis");
	const complete = join(dir, "complete");
	if (existsSync(complete)) return program;
	await mkdir(cacheDir, { recursive: true });
	await rm(dir, { recursive: true, force: true });
	await run(python as string, ["-m", "venv", dir]);
	const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", `schemathesis==${VERSION}`];
	await run(join(dir, "bin", "python"), pip, { timeout: INSTALL_WITHIN_MS });
	await writeFile(complete, "");
	return program;
}
