// Runs every *.cluster.test.ts against real servers: test servers on free ports with their own data, which tests may wipe and stop.
// Arguments: the files to run instead, for example npm run test:cluster -- test/page.cluster.test.ts. npm run test:faults passes the fault tests.
// --rounds N, --seed S, --from R: only test/rounds.faults.test.ts, N rounds with seed S, starting at round R.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { testServers } from "../infra/test-servers.ts";
import { printHelpIfAsked } from "../runtime/help.ts";

printHelpIfAsked(`Usage: npm run test:cluster [-- FILE …]
       npm run test:faults [-- --rounds N] [--seed S] [--from R]

Runs the tests that need Kafka, Cassandra, Postgres and Redis, on servers of their own.`);

const option = { type: "string" } as const;
const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: option, seed: option, from: option } });
for (const [name, text = ""] of Object.entries(values)) {
	if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: must be a whole number`);
	process.env[`FAULT_${name.toUpperCase()}`] = text;
}
/** Tests of the whole system use the servers' default databases and topics; all others make their own, so both groups can run side by side. */
const groups = [
	["{demo,test}/*.cluster.test.ts"],
	["test/package/*.cluster.test.ts", "{contract,infra,mixins,runtime,services}/**/*.cluster.test.ts"]
];
const chosen = values.rounds ? ["test/rounds.faults.test.ts"] : positionals;
/** For one file. Long enough for a slow machine: it only ends tests that hang. */
const TEST_TIMEOUT_MS = 900_000 + Number(values.rounds ?? 0) * 120_000;

const root = join(import.meta.dirname, "..");
const dataDir = mkdtempSync(join(tmpdir(), "plaza-cluster-"));
// Temporary files go there as well, so that an interrupted test leaves nothing elsewhere.
const env = { ...process.env, TMPDIR: dataDir, ...(await testServers(dataDir)) };
const infra = (command: string, INFRA_DATA = dataDir) =>
	execFileSync(process.execPath, ["infra/main.ts", command], { cwd: root, env: { ...env, INFRA_DATA }, stdio: "inherit" });

const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
	process.on(signal, () => {
		for (const tests of running) tests.kill(signal);
	});

/** Runs files one after the other, because some stop what the next one needs. Returns the exit code. */
async function runTests(files: string[], stdout: "inherit" | number): Promise<number> {
	const options = ["--test", "--test-concurrency=1", `--test-timeout=${TEST_TIMEOUT_MS}`];
	const tests = spawn(process.execPath, [...options, ...files], { cwd: root, env, stdio: ["inherit", stdout, "inherit"] });
	running.add(tests);
	const [code] = await once(tests, "exit");
	running.delete(tests);
	return code ?? 1;
}

/** Runs both groups side by side; the second one's output follows the first one's, so that they do not mix. */
async function runGroups(): Promise<number> {
	const [system, isolated] = groups as [string[], string[]];
	const path = join(dataDir, "isolated.log");
	const log = await open(path, "w");
	const codes = await Promise.all([runTests(system, "inherit"), runTests(isolated, log.fd)]);
	await log.close();
	process.stdout.write(readFileSync(path));
	return Math.max(...codes);
}

process.exitCode = 1;
try {
	infra("up");
	process.exitCode = chosen.length > 0 ? await runTests(chosen, "inherit") : await runGroups();
} catch (error) {
	// A failed command has printed its reason already.
	if (!(error instanceof Error && "status" in error)) throw error;
} finally {
	const left = globSync("*/*/pid", { cwd: dataDir }).map(pid => join(dataDir, dirname(dirname(pid))));
	for (const set of [...new Set(left), dataDir]) infra("wipe", set);
	rmSync(dataDir, { recursive: true, force: true });
}
