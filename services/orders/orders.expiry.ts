// Cancels what nobody pays: looked for now and then, by every node that works at orders, in one conditional statement, so each is cancelled once.
import type { Logger } from "moleculer";
import { periodicTask } from "../../mixins/periodic-task.ts";
import type { OrderStore } from "./orders.store.ts";

const EVERY_MS = 5_000;
/** A few at a time: their rows are locked together. */
const MAX_TOGETHER = 100;

/** Starts to look; `unpaidMs`: how long an order may wait for its payment. */
export function startExpiry(
	store: Pick<OrderStore, "cancelUnpaid">,
	unpaidMs: number,
	logger: Pick<Logger, "info" | "warn">,
	everyMs = EVERY_MS
) {
	const look = async () => {
		let cancelled: string[];
		do {
			cancelled = await store.cancelUnpaid(unpaidMs, MAX_TOGETHER);
			for (const order of cancelled) logger.info("cancelled, for nobody has paid", { order });
		} while (cancelled.length === MAX_TOGETHER);
	};

	return periodicTask(look, { everyMs, logger, what: "cancelling unpaid orders" });
}
