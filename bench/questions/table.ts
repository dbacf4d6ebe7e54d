// The table of requests for each event: a Markdown table, which is also readable in a terminal.
import { type Counts, RESOURCES, type Resource, totalOf } from "./counts.ts";

/** What a system has sent in a time. */
export interface Sample {
	counts: Counts;
	seconds: number;
	events: number;
}

export interface Measured {
	idle: Sample;
	/** By kind of event. */
	kinds: Record<string, Sample>;
}

/** Details that occur less often are left out. */
const RARE = 0.05;
const SHOWN_DETAILS = 40;

const print = (value: number) => value.toFixed(value < 0.05 || value >= 9.95 ? 0 : 1);

const aligned = (rows: string[][]) => {
	const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map(row => row[column]!.length)));
	const line = (row: string[]) =>
		`| ${row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]!))).join(" | ")} |`;
	const rule = `| ${widths.map((width, n) => (n === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
	return [line(rows[0]!), rule, ...rows.slice(1).map(line)];
};

/** What the events have added to that which the idle system sends in the same time. By detail: a busy process polls less often, and a sum would hide it. */
function addedBy({ counts, seconds }: Sample, idle: Sample, resource: Resource): number {
	const inIdleTime = (detail: string) => ((idle.counts[resource]?.[detail] ?? 0) / idle.seconds) * seconds;
	return Object.entries(counts[resource] ?? {}).reduce(
		(sum, [detail, count]) => sum + Math.max(0, count - inIdleTime(detail)),
		0
	);
}

/**
 * For each resource: what one event of each kind adds to the idle system, in brackets all that was sent meanwhile if that is another number; last,
 * what an idle second costs.
 */
export function tableOf({ idle, kinds }: Measured): string[] {
	const samples = Object.values(kinds);
	const rows = RESOURCES.map(resource => {
		const cells = samples.map(sample => {
			const [added, all] = [addedBy(sample, idle, resource), totalOf(sample.counts, resource)].map(n => print(n / sample.events));
			return added === all ? added! : `${added} (${all})`;
		});
		return [resource, ...cells, print(totalOf(idle.counts, resource) / idle.seconds)];
	});
	const used = rows.filter(([, ...cells]) => cells.some(cell => cell !== "0"));
	return aligned([["for one", ...Object.keys(kinds), "idle second"], ...used]);
}

/** What the counts consist of, the most frequent first. */
export function detailsOf({ idle, kinds }: Measured): string[] {
	const lines = (title: string, { counts }: Sample, units: number) => {
		const details = RESOURCES.flatMap(resource =>
			Object.entries(counts[resource] ?? {})
				.map(([detail, count]) => ({ resource, detail, count: count / units }))
				.filter(({ count }) => count >= RARE)
				.sort((one, other) => other.count - one.count)
				.slice(0, SHOWN_DETAILS)
		);
		return [title, ...details.map(({ resource, detail, count }) => `  ${count.toFixed(2).padStart(7)}  ${resource}: ${detail}`)];
	};
	return [
		...Object.entries(kinds).flatMap(([kind, sample]) => lines(`one ${kind}`, sample, sample.events)),
		...lines("one idle second", idle, idle.seconds)
	];
}
