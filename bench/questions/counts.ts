// The requests that a process has sent to its servers, by resource and detail.

/** In the order of the table. */
export const RESOURCES = [
	"Cassandra requests",
	"Postgres statements",
	"Redis commands",
	"Redis writes",
	"Kafka Produce",
	"Kafka Fetch",
	"Kafka OffsetCommit",
	"Kafka Heartbeat",
	"Kafka other",
	"transporter requests",
	"frames",
	"timers",
	"immediates"
] as const;

export type Resource = (typeof RESOURCES)[number];

/** Since the start of the process: resource → detail (a statement, a command, a line of code) → count. */
export type Counts = Partial<Record<Resource, Record<string, number>>>;

export function add(counts: Counts, resource: Resource, detail: string): void {
	counts[resource] ??= {};
	counts[resource][detail] = (counts[resource][detail] ?? 0) + 1;
}

/** What was counted between two readings. */
export function difference(before: Counts, after: Counts): Counts {
	const more: Counts = {};
	for (const resource of RESOURCES)
		more[resource] = Object.fromEntries(
			Object.entries(after[resource] ?? {}).map(([detail, count]) => [detail, count - (before[resource]?.[detail] ?? 0)])
		);
	return more;
}

export const totalOf = (counts: Counts, resource: Resource): number =>
	Object.values(counts[resource] ?? {}).reduce((sum, count) => sum + count, 0);
