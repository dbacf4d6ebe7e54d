// Frees the seats of expired holds. Every node that runs seats polls; each hold expires once.
import type { Logger } from "moleculer";
import { periodicTask } from "../../mixins/periodic-task.ts";
import type { HoldStore } from "./seats.store.holds.ts";

const EVERY_MS = 1_000;
/** They are locked together. */
const MAX_HOLDS = 500;

export function startSweep(store: Pick<HoldStore, "expire">, logger: Pick<Logger, "info" | "warn">, everyMs = EVERY_MS) {
	const sweep = async () => {
		let expired: string[];
		do {
			expired = await store.expire(MAX_HOLDS);
			if (expired.length > 0) logger.info(`expired holds: ${expired.join(" ")}`);
		} while (expired.length === MAX_HOLDS);
	};

	return periodicTask(sweep, { everyMs, logger, what: "freeing the seats of expired holds" });
}
