// What a measure is: two sides that do the same work by turns, and what is compared of them.

/** What one side did in one round. */
export interface Round {
	operations: number;
	/** How long the round took; default: as long as `round` took to answer. */
	elapsedMs?: number;
	/** Of single operations, where latency is meant: p50Ms and p99Ms come from them. */
	latenciesMs?: number[];
	/** Whatever else is compared, by name with the unit last. */
	figures?: Record<string, number>;
}

export interface Side {
	name: string;
	/** Does its work for about so long, and answers once it is all done: nothing of it may run on into the other's round. */
	round(ms: number): Promise<Round>;
	/** Its own processes beside the servers and this one. */
	pids?(): number[];
}

/** Median of the ratios ours : baseline (or, where there is no baseline, of our own figures), and what it should be. */
export interface Target {
	/** rate (per second), cpuUs (per operation, over every process), p50Ms, p99Ms, or one of the measure's own. */
	figure: string;
	least?: number;
	most?: number;
	/** Compared as ours - baseline, in the figure's unit, and not as a ratio. */
	difference?: boolean;
}

export interface Opened {
	ours: Side;
	/** Undefined where our own figures are held against the target. */
	baseline?: Side;
	close(): Promise<void>;
}

export interface Measure {
	/** As in the table: G1. */
	id: string;
	/** What is measured, and against what. */
	title: string;
	against: string;
	/** Which processes run what. */
	layout: string;
	targets: Target[];
	/** A round's length where the default is not right. */
	roundMs?: number;
	/** Makes both sides ready on the servers of the environment. `quick`: only to see that it works, so with as little data as will do. */
	open(options: { quick: boolean }): Promise<Opened>;
}
