// The shape of a measure: two sides that do the same work in alternating rounds, and the values that are compared.

/** The result of one side in one round. */
export interface Round {
	operations: number;
	/** Duration of the round; default: the time until `round` resolved. */
	elapsedMs?: number;
	/** Latencies of single operations: p50Ms and p99Ms are calculated from them. */
	latenciesMs?: number[];
	/** Other compared values, by name with the unit last. */
	metrics?: Record<string, number>;
}

export interface Side {
	name: string;
	/** Works for about `ms` and resolves once all of it is done: no work may continue into the other side's round. */
	round(ms: number): Promise<Round>;
	/** Its own processes, without the servers and this process. */
	pids?(): number[];
}

/** The target for the median of the ratios ours : baseline (without a baseline: of our own values). */
export interface Target {
	/** The number of this row in the table, if it is not the measure's. */
	id?: string;
	/** rate (per second), cpuUs (per operation, over all processes), p50Ms, p99Ms, or one of the measure's own values. */
	metric: string;
	least?: number;
	most?: number;
	/** Compared as ours - baseline in the value's unit, not as a ratio. */
	difference?: boolean;
}

export interface Opened {
	ours: Side;
	/** Undefined if our own values are compared with the target. */
	baseline?: Side;
	close(): Promise<void>;
}

export interface Measure {
	/** As in the table: G1. */
	id: string;
	/** What is measured. */
	title: string;
	against: string;
	/** Which processes run what. */
	layout: string;
	targets: Target[];
	/** Length of a round if it differs from the default. */
	roundMs?: number;
	/** Prepares both sides on the servers of the environment. `quick`: only checks that it works, so with as little data as possible. */
	open(options: { quick: boolean }): Promise<Opened>;
}
