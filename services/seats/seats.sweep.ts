// Frees the seats of expired holds. Every node that runs seats polls; each hold expires once.
import type { Logger } from "moleculer";
import { deadlineIn } from "../../mixins/deadline.ts";
import { periodicTask } from "../../mixins/periodic-task.ts";
import type { HoldStore } from "./seats.store.holds.ts";

export interface SweepOptions {
	everyMs?: number;
	/** A server that is lost without a reset of its connections does not answer: after this time the sweep tries again. */
	timeoutMs?: number;
}

/** They are locked together. */
const MAX_HOLDS = 500;

export function startSweep(
	store: Pick<HoldStore, "expire">,
	logger: Pick<Logger, "info" | "warn">,
	{ everyMs = 1_000, timeoutMs = 4_500 }: SweepOptions = {}
) {
	const sweep = async () => {
		let expired: string[];
		do {
			expired = await deadlineIn(timeoutMs).bound(store.expire(MAX_HOLDS), "Postgres");
			if (expired.length > 0) logger.info(`expired holds: ${expired.join(" ")}`);
			// Also after fewer: another node may have freed some of the same holds meanwhile.
		} while (expired.length > 0);
	};

	return periodicTask(sweep, { everyMs, logger, what: "freeing the seats of expired holds" });
}
