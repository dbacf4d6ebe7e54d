// The slowest picks of a run, and at which step each of them waited: `npm run bench -- slowest`. The steps are Plaza's own log lines at level debug,
// found by the request id of the pick, so that production code pays nothing for it. Linux only.
import type { System } from "../../test/system.ts";
import { median, percentile } from "../format.ts";
import { openPickClients, type PlayedPick } from "../pick-clients.ts";
import { startEmbeddedPlaza, startPlaza, WORKERS } from "../plaza.ts";
import { withServers } from "../servers.ts";
import { NAMES, WARM_UP_NAME } from "./g14-picks.ts";

export interface SlowestOptions {
	ms: number;
	perSecond: number;
}

/** A pick and its steps: name → ms since its request. */
interface Trace {
	/** Since the first request of the run: picks that are slow at one time waited for one cause. */
	atMs: number;
	totalMs: number;
	steps: Map<string, number>;
}

const SHOWN = 10;
const WARM_UP_MS = 15_000;
/** Shorter with the log at debug: the kept output of a process is limited. */
const SHORT_WARM_UP_MS = 2_000;
const REQUEST_ID = /^x-request-id: *(\S+)/im;
/** Time, text and data of a debug line. */
const LINE = /^\[(\S+)\] DEBUG +\S+ ([^{]+) (\{.*)$/;

/** What a log line says happened: its text, and the topic if it names one. */
const stepOf = (text: string, data: string) => [text, /\btopic: '([^']+)'/.exec(data)?.[1]].filter(Boolean).join(" ");

function tracesOf(picks: PlayedPick[], log: string): Trace[] {
	const startMs = Math.min(...picks.map(({ sentMs }) => sentMs));
	const traces = new Map<string | undefined, Trace & { sentAtMs: number }>(
		picks.map(({ sentMs, acceptedMs, shownMs, head }) => [
			REQUEST_ID.exec(head)?.[1],
			{
				atMs: sentMs - startMs,
				sentAtMs: performance.timeOrigin + sentMs,
				totalMs: shownMs - sentMs,
				steps: new Map([
					["answered with 202", acceptedMs - sentMs],
					["frame", shownMs - sentMs]
				])
			}
		])
	);
	for (const line of log.split("\n")) {
		const [, time, text, data] = LINE.exec(line) ?? [];
		if (!time || !text || !data) continue;
		for (const [, id] of data.matchAll(/'([^']+)'/g)) {
			const trace = traces.get(id);
			const step = stepOf(text, data);
			// A step that is repeated is of interest when it happened first.
			if (trace && !trace.steps.has(step)) trace.steps.set(step, Date.parse(time) - trace.sentAtMs);
		}
	}
	return [...traces.values()];
}

/** One row a pick: how long it took to each step from the one before. The steps are ordered as in most picks. */
function print(traces: Trace[]) {
	const names = [...new Set(traces.flatMap(({ steps }) => [...steps.keys()]))];
	const offsetsOf = (name: string) => traces.flatMap(({ steps }) => steps.get(name) ?? []);
	const order = names.toSorted((one, other) => median(offsetsOf(one)) - median(offsetsOf(other)));
	const rowOf = ({ totalMs, steps }: Pick<Trace, "totalMs" | "steps">) => {
		let beforeMs = 0;
		const row: Record<string, string> = { "total ms": totalMs.toFixed(1) };
		for (const name of order) {
			const reachedMs = steps.get(name);
			row[name] = reachedMs === undefined ? "" : (reachedMs - beforeMs).toFixed(0);
			beforeMs = reachedMs ?? beforeMs;
		}
		return row;
	};
	const middle = {
		totalMs: median(traces.map(({ totalMs }) => totalMs)),
		steps: new Map(order.map(name => [name, median(offsetsOf(name))]))
	};
	const slowest = traces.toSorted((one, other) => other.totalMs - one.totalMs).slice(0, SHOWN);
	const rows = slowest.map((trace, n) => [`slowest ${n + 1}`, { "at ms": trace.atMs.toFixed(0), ...rowOf(trace) }]);
	console.table({ ...Object.fromEntries(rows), median: rowOf(middle) });
}

const PAUSES = /^process_(?:eventloop_delay|gc_pause)_seconds(?:\{.*quantile=.*|_max.*|_count.*)$/gm;

async function playOn(title: string, system: System, { ms, perSecond }: SlowestOptions) {
	try {
		const clients = await openPickClients(system, NAMES);
		await clients.warmUp(SHORT_WARM_UP_MS, WARM_UP_NAME);
		const picks = await clients.play(ms, perSecond);
		const metrics = await (await fetch(`${system.metricsUrls[0]}/metrics`)).text();
		clients.close();
		const latenciesMs = picks.map(({ sentMs, shownMs }) => shownMs - sentMs);
		const [p50, p99] = [0.5, 0.99].map(share => percentile(latenciesMs, share).toFixed(1));
		console.log(
			`${title}: ${picks.length} picks, ${perSecond} a second, from the request to the frame: p50 ${p50} ms, p99 ${p99} ms`
		);
		console.log(`The ${SHOWN} slowest: ms from each step to the next (log at debug: all of it is slower than in G14)`);
		print(tracesOf(picks, system.logs()));
		console.log(`Pauses of the process:\n${(metrics.match(PAUSES) ?? []).join("\n")}\n`);
	} finally {
		await system.stop();
	}
}

/** Plays picks on each profile and prints the slowest of each. */
export async function runSlowest(options: SlowestOptions): Promise<void> {
	const layout = { all: `api,socket,${WORKERS}` };
	const names = { SELECTION_NAMES: [...NAMES, WARM_UP_NAME].join() };
	const verbose = { ...names, LOG_LEVEL: "debug" };
	await withServers(async () => {
		const quiet = await startPlaza(layout, names);
		const clients = await openPickClients(quiet, NAMES);
		await clients.warmUp(WARM_UP_MS, WARM_UP_NAME);
		clients.close();
		await quiet.stop();
		await playOn("cluster, one process", await startPlaza(layout, verbose), options);
	});
	await playOn("embedded", await startEmbeddedPlaza(verbose), options);
}
