// Formats results as lines and as bench/RESULTS.md.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import type { Measure, Target } from "./measure.ts";
import type { Metric, Result } from "./run.ts";

const print = (value: number) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3));
const targetText = ({ least, most, difference }: Target) => {
	const sign = difference ? "+" : "";
	return least !== undefined ? `>= ${least}` : `<= ${sign}${most}`;
};
const labels: Record<string, string> = {
	rate: "operations/s",
	cpuUs: "CPU µs per operation",
	p50Ms: "p50 ms",
	p99Ms: "p99 ms",
	acceptedP50Ms: "202, p50 ms",
	acceptedP99Ms: "202, p99 ms"
};
const labelOf = (metric: string) => labels[metric] ?? metric;

const compared = ({ compared, interval, target }: Metric) => {
	if (compared === undefined || !interval) return "";
	const sign = target?.difference && compared >= 0 ? "+" : "";
	return `${sign}${print(compared)} (${interval.map(print).join(" to ")})`;
};

export function summaryLines({ id }: Measure, { metrics }: Result, quick: boolean): string[] {
	return metrics.map(metric => {
		const { name, ours, baseline, target, holds } = metric;
		const against = baseline === undefined ? "" : ` : ${print(baseline)} = ${compared(metric)}`;
		const verdict = target && !quick ? `, target ${targetText(target)}: ${holds ? "holds" : "MISSED"}` : "";
		return `${target?.id ?? id} ${labelOf(name)}: ${print(ours)}${against}${verdict}`;
	});
}

const row = ({ id }: Measure, metric: Metric) => {
	const { name, ours, baseline, target, holds } = metric;
	const cells = [target?.id ?? id, labelOf(name), print(ours), baseline === undefined ? "" : print(baseline), compared(metric)];
	return `| ${[...cells, target ? `${targetText(target)}` : "", target ? (holds ? "yes" : "**no**") : ""].join(" | ")} |`;
};

const commit = () => {
	try {
		return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" }).trim();
	} catch {
		return "unknown";
	}
};
const load = () => {
	try {
		return readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
	} catch {
		return "unknown";
	}
};

/** The page with all results of a run, missed targets included. */
export function resultsPage(measures: Measure[], results: Result[], servers: string[]): string {
	const machine = `${availableParallelism()} processors (${cpus()[0]?.model.trim() ?? "unknown"}), ${Math.round(totalmem() / 2 ** 30)} GiB, everything on it`;
	const done = measures.flatMap(measure => {
		const result = results.find(({ id }) => id === measure.id);
		return result ? [{ measure, result }] : [];
	});
	const missing = measures.filter(({ id }) => !results.some(result => result.id === id));
	return `# Results

Written by \`npm run bench\`, ${new Date().toISOString().slice(0, 10)}, at commit ${commit()}: ${machine}, load at the end ${load()}.
Node ${process.versions.node}, ${servers.join(", ")}.

Each pair of rounds (${results[0]?.pairs ?? 0} pairs of ${(results[0]?.roundMs ?? 0) / 1_000} s after a warm-up, both sides alternating, limits off, both equally durable) gives one ratio
ours : baseline; the table shows the median of the ratios with its 95 % interval (with fewer than six pairs: the whole range). The other columns
are medians on a shared machine: only the ratios can be compared. CPU counts all processes, servers and clients included, unless the measure says otherwise.
Missed targets are explained in \`docs/decisions/0008-benchmark-targets.md\`.

| | metric | Plaza | baseline | ratio | target | holds |
| --- | --- | --- | --- | --- | --- | --- |
${done.flatMap(({ measure, result }) => result.metrics.map(metric => row(measure, metric))).join("\n")}

| | what | against | layout |
| --- | --- | --- | --- |
${measures.map(({ id, title, against, layout }) => `| ${id} | ${title} | ${against} | ${layout} |`).join("\n")}
${missing.length > 0 ? `\nWithout a result: ${missing.map(({ id }) => id).join(", ")}.\n` : ""}`;
}
