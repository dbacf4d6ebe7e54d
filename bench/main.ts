// Benchmarks: speed and cost of Plaza as ratios against what a competent engineer would write without it.
//
//     npm run bench [-- NAME …] [--quick] [--pairs N] [--seconds N]
//     npm run bench -- hostile [ATTACK …] [--seconds N] [--system FOLDER]
//     npm run bench -- questions [PROFILE …] [--events N] [--details] [--system FOLDER]
//     npm run bench -- slowest [--seconds N] [--per-second N]
//
// NAME: G1, G2, …; without one, all of them, and bench/RESULTS.md is rewritten. --quick: only checks that every measure still runs; no target is checked.
// Starts its own Kafka, Cassandra, Postgres and Redis. The two sides of a measure alternate, so that other load on the machine affects both.
// hostile: attacks a Plaza with default settings (bench/measures/hostile.ts) instead of running measures; needs no servers. FOLDER: another checkout.
// questions: counts the requests to each server, the frames and the timers that one event costs (bench/measures/questions.ts).
// slowest: prints the slowest picks of a run on each profile, with the step at which each waited (bench/measures/slowest.ts).
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { printHelpIfAsked } from "../runtime/help.ts";
import type { Profile } from "../test/system.ts";
import type { Measure } from "./measure.ts";
import { attackNames, runHostile } from "./measures/hostile.ts";
import { profiles, runQuestions } from "./measures/questions.ts";
import { runSlowest } from "./measures/slowest.ts";
import { measures, measuresNamed } from "./measures.ts";
import { resultsPage, summaryLines } from "./results.ts";
import type { Result, RunOptions } from "./run.ts";
import { startServers } from "./servers.ts";

/** Limit for one measure, with its data and all its rounds. */
const TIMEOUT_MS = 15 * 60_000;
const IDLE_MS = 10_000;

const USAGE = `usage: npm run bench [-- NAME …] [--quick] [--pairs N] [--seconds N]; NAME: ${measures.map(one => one.id).join(", ")}
       npm run bench -- hostile [ATTACK …] [--seconds N] [--system FOLDER]; ATTACK: ${attackNames.join(", ")}
       npm run bench -- questions [PROFILE …] [--events N] [--details] [--system FOLDER]; PROFILE: ${profiles.join(", ")}
       npm run bench -- slowest [--seconds N] [--per-second N]`;
printHelpIfAsked(`${USAGE}

Compares Plaza with baselines, on servers that it starts itself. Without NAME all measures run, and bench/RESULTS.md is rewritten; --quick only checks
that they still run. hostile measures how attacks from one address slow down another client. questions counts the requests to each server, the frames
and the timers that one event costs, on both profiles (docs/requests-per-event.md); --details lists them. --system runs the Plaza in another folder.
slowest prints the slowest picks of a run on each profile, and at which step each waited. Linux only.`);
const usage = (message: string): never => {
	console.error(`${message}\n${USAGE}`);
	process.exit(2);
};
const count = (name: string, text: string) =>
	/^[1-9]\d{0,3}$/.test(text) ? Number(text) : usage(`--${name} ${text}: give a number from 1 to 9999`);

function read() {
	try {
		return parseArgs({
			allowPositionals: true,
			options: {
				quick: { type: "boolean", default: false },
				pairs: { type: "string", default: "5" },
				seconds: { type: "string" },
				events: { type: "string", default: "200" },
				details: { type: "boolean", default: false },
				"per-second": { type: "string", default: "100" },
				system: { type: "string", default: join(import.meta.dirname, "..") }
			}
		});
	} catch (error) {
		return usage((error as Error).message);
	}
}

const { values, positionals } = read();
if (positionals[0] === "hostile") {
	const names = positionals.slice(1);
	for (const name of names) if (!attackNames.includes(name)) usage(`no attack ${name}`);
	await runHostile({ names, attackMs: count("seconds", values.seconds ?? "20") * 1_000, system: values.system });
	process.exit();
}
if (positionals[0] === "questions") {
	const chosen = positionals.slice(1) as Profile[];
	for (const name of chosen) if (!profiles.includes(name)) usage(`no profile ${name}`);
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));
	const { system, details } = values;
	await runQuestions(chosen, { events: count("events", values.events), idleMs: IDLE_MS, system, details });
	process.exit();
}
if (positionals[0] === "slowest") {
	if (positionals.length > 1) usage(`slowest takes no ${positionals[1]}`);
	const perSecond = count("per-second", values["per-second"]);
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(1));
	await runSlowest({ ms: count("seconds", values.seconds ?? "8") * 1_000, perSecond });
	process.exit();
}
for (const name of positionals) if (measuresNamed(name).length === 0) usage(`no measure ${name}`);
const chosen =
	positionals.length === 0 ? measures : measures.filter(one => positionals.some(name => measuresNamed(name).includes(one)));
const options: RunOptions = values.quick
	? { quick: true, pairs: 1, roundMs: 1_000, warmUpMs: 500 }
	: {
			quick: false,
			pairs: count("pairs", values.pairs),
			roundMs: count("seconds", values.seconds ?? "10") * 1_000,
			warmUpMs: 4_000
		};

const isWhole = !values.quick && positionals.length === 0;

let running: ChildProcess | undefined;
/** Runs a measure in its own process, so that measures do not share heap and compiled code. */
async function measured({ id }: Measure, env: Record<string, string>): Promise<Result> {
	const child = fork(join(import.meta.dirname, "run.ts"), [id, JSON.stringify(options)], {
		// kafkajs sets thousands of timers in the past.
		env: { ...process.env, ...env, NODE_OPTIONS: "--disable-warning=TimeoutNegativeWarning" },
		execArgv: ["--expose-gc"],
		// As JSON, the ratio to a baseline that used nothing (Infinity) would become null.
		serialization: "advanced"
	});
	running = child;
	const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
	const answered = once(child, "message") as Promise<[Result]>;
	const ended = once(child, "exit").then(([code, signal]) => {
		throw new Error(`${id} ended with ${signal ?? code} before it had a result`);
	});
	ended.catch(() => {});
	const [result] = await Promise.race([answered, ended]).finally(() => clearTimeout(timer));
	await ended.catch(() => {});
	return result;
}

const servers = await startServers();
const versions = await servers.versions();
let stopped = false;
const stop = () => {
	if (stopped) return;
	stopped = true;
	running?.kill("SIGKILL");
	servers.stop();
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
	process.on(signal, () => {
		stop();
		process.exit(1);
	});

const results: Result[] = [];
try {
	for (const measure of chosen) {
		console.error(`${measure.id}: ${measure.title}; against ${measure.against}`);
		try {
			const result = await measured(measure, servers.env);
			results.push(result);
			for (const line of summaryLines(measure, result, options.quick)) console.log(line);
			// After each measure: a full run takes most of an hour, and an interrupted one keeps its results.
			if (isWhole) writeFileSync(join(import.meta.dirname, "RESULTS.md"), resultsPage(measures, results, versions));
		} catch (error) {
			console.error(`  ${(error as Error).message}`);
			process.exitCode = 1;
		}
	}
} finally {
	stop();
}
process.exit();
