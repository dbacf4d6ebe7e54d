// Runs one measure in its own process: its sides alternate (A B, B A, A B …), and each pair of rounds gives one ratio.
import { cpuUsOf } from "./cpu.ts";
import { intervalOf, median, percentile } from "./format.ts";
import type { Measure, Round, Side, Target } from "./measure.ts";
import { measures } from "./measures.ts";
import { serverPids } from "./servers.ts";

export interface Metric {
	name: string;
	ours: number;
	baseline?: number;
	/** Median over the pairs of ours : baseline, or of ours - baseline if the target is a difference. */
	compared?: number;
	interval?: [number, number];
	target?: Target;
	holds?: boolean;
}

export interface Result {
	id: string;
	pairs: number;
	roundMs: number;
	sides: string[];
	metrics: Metric[];
}

export interface RunOptions {
	pairs: number;
	roundMs: number;
	warmUpMs: number;
	quick: boolean;
}

type Metrics = Record<string, number>;

async function metricsOf(side: Side, ms: number): Promise<Metrics> {
	const pids = [process.pid, ...Object.values(serverPids()), ...(side.pids?.() ?? [])];
	const [startMs, startUs] = [performance.now(), cpuUsOf(pids)];
	const round: Round = await side.round(ms);
	const elapsedMs = round.elapsedMs ?? performance.now() - startMs;
	const usedUs = cpuUsOf(pids) - startUs;
	const { latenciesMs = [] } = round;
	if (round.operations === 0) throw new Error(`${side.name} did nothing in ${Math.round(elapsedMs)} ms`);
	return {
		rate: (round.operations * 1_000) / elapsedMs,
		cpuUs: usedUs / round.operations,
		...(latenciesMs.length > 0 && { p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) }),
		...round.metrics
	};
}

const print = (value: number) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3));
const line = (metrics: Metrics) =>
	Object.entries(metrics)
		.map(([name, value]) => `${name} ${print(value)}`)
		.join(", ");

function compare(name: string, rounds: Metrics[], others: Metrics[] | undefined, target: Target | undefined): Metric {
	const ours = median(rounds.map(one => one[name]!));
	if (!others) return { name, ours, ...judge(ours, target) };
	const compared = rounds.map((one, pair) => {
		const [a, b] = [one[name]!, others[pair]![name]!];
		return target?.difference ? a - b : a / b;
	});
	const baseline = median(others.map(one => one[name]!));
	return { name, ours, baseline, compared: median(compared), interval: intervalOf(compared), ...judge(median(compared), target) };
}

const judge = (value: number, target: Target | undefined) =>
	target && { target, holds: value >= (target.least ?? -Infinity) && value <= (target.most ?? Infinity) };

export async function run(measure: Measure, { pairs, roundMs, warmUpMs, quick }: RunOptions): Promise<Result> {
	const { ours, baseline, close } = await measure.open({ quick });
	const sides = baseline ? [ours, baseline] : [ours];
	const rounds = new Map<Side, Metrics[]>(sides.map(side => [side, []]));
	try {
		// Quick runs only check that everything works: no warm-up.
		for (let pair = quick ? 1 : 0; pair <= pairs; pair++) {
			// The second side runs on a machine that the first has warmed up: the order alternates as well.
			for (const side of pair % 2 === 0 ? sides : sides.toReversed()) {
				const metrics = await metricsOf(side, pair === 0 ? warmUpMs : roundMs);
				console.error(`  ${measure.id} ${pair === 0 ? "warm-up" : `pair ${pair}`} ${side.name}: ${line(metrics)}`);
				if (pair > 0) rounds.get(side)!.push(metrics);
			}
		}
	} finally {
		await close();
	}
	const [first, second] = sides.map(side => rounds.get(side)!);
	const names = Object.keys(first![0]!).filter(name => !second || name in second[0]!);
	const metrics = names.map(name =>
		compare(
			name,
			first!,
			second,
			measure.targets.find(one => one.metric === name)
		)
	);
	return { id: measure.id, pairs, roundMs, sides: sides.map(side => side.name), metrics };
}

if (process.send) {
	const [id, options] = [process.argv[2], JSON.parse(process.argv[3] ?? "{}") as RunOptions];
	const measure = measures.find(one => one.id === id);
	if (!measure) throw new Error(`no measure ${id}`);
	const result = await run(measure, options);
	process.send(result, () => process.exit());
}
