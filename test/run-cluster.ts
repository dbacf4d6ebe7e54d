// Runs every *.cluster.test.ts against real servers: a fresh set of their own, on free ports, so that tests may empty and stop them.
// Arguments are files to run instead of those: the faults (npm run test:faults), or one: npm run test:cluster -- test/page.cluster.test.ts
// --rounds N, --seed S, --from R: N rounds of test/rounds.faults.test.ts alone, the R. of seed S first.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { testServers } from "../infra/test-servers.ts";

const option = { type: "string" } as const;
const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: option, seed: option, from: option } });
for (const [name, text = ""] of Object.entries(values)) {
	if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: give a whole number`);
	process.env[`FAULT_${name.toUpperCase()}`] = text;
}
const others = positionals.length > 0 ? positionals : ["**/*.cluster.test.ts"];
const files = values.rounds ? ["test/rounds.faults.test.ts"] : others;
/** Of a file too: bounded, and never what decides on a slow machine. */
const TEST_TIMEOUT_MS = 900_000 + Number(values.rounds ?? 0) * 120_000;

const root = join(import.meta.dirname, "..");
const dataDir = mkdtempSync(join(tmpdir(), "plaza-cluster-"));
// Temporary files too: what an interrupted test leaves behind is found there.
const env = { ...process.env, TMPDIR: dataDir, ...(await testServers(dataDir)) };
const infra = (verb: string, INFRA_DATA = dataDir) =>
	execFileSync(process.execPath, ["infra/main.ts", verb], { cwd: root, env: { ...env, INFRA_DATA }, stdio: "inherit" });

let tests: ChildProcess | undefined;
// Whoever stops the tests leaves the servers to be stopped, by us.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => tests?.kill(signal));

process.exitCode = 1;
try {
	infra("up");
	// One file at a time: the machine is small, and some stop what others need.
	const options = ["--test", "--test-concurrency=1", `--test-timeout=${TEST_TIMEOUT_MS}`];
	tests = spawn(process.execPath, [...options, ...files], { cwd: root, env, stdio: "inherit" });
	const [code] = await once(tests, "exit");
	process.exitCode = code ?? 1;
} catch (error) {
	// What went wrong was said by the command itself.
	if (!(error instanceof Error && "status" in error)) throw error;
} finally {
	const left = globSync("*/*/pid", { cwd: dataDir }).map(pid => join(dataDir, dirname(dirname(pid))));
	for (const set of [...new Set(left), dataDir]) infra("wipe", set);
	rmSync(dataDir, { recursive: true, force: true });
}
