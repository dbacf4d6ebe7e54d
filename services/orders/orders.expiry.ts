// Cancels unpaid orders. Every node that runs orders polls; one conditional statement cancels each order once.
import type { Logger } from "moleculer";
import { periodicTask } from "../../mixins/periodic-task.ts";
import type { OrderStore } from "./orders.store.ts";

const EVERY_MS = 5_000;
/** Few, because their rows are locked together. */
const MAX_ORDERS = 100;

/** `unpaidMs`: how long an order may wait for its payment. */
export function startExpiry(
	store: Pick<OrderStore, "cancelUnpaid">,
	unpaidMs: number,
	logger: Pick<Logger, "info" | "warn">,
	everyMs = EVERY_MS
) {
	const poll = async () => {
		let cancelled: string[];
		do {
			cancelled = await store.cancelUnpaid(unpaidMs, MAX_ORDERS);
			for (const order of cancelled) logger.info("cancelled an unpaid order", { order });
		} while (cancelled.length === MAX_ORDERS);
	};

	return periodicTask(poll, { everyMs, logger, what: "cancelling unpaid orders" });
}
