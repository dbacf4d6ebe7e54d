// Releases reservations whose order was never stored: the node that reserved them ended before it stored the order, so no message will come for them.
import type { Logger } from "moleculer";
import { periodicTask } from "../../mixins/periodic-task.ts";
import type { Caller } from "../define-service.ts";
import type { OrderStore } from "./orders.store.ts";

/** The reservations that inventory keeps. Every function rejects with `UNAVAILABLE` while inventory does not answer. */
export interface Reservations {
	/** The orders whose reservation is older than this, and neither confirmed nor released. */
	listPending(olderThanMs: number, limit: number): Promise<string[]>;
	/** Returns the orders whose reservation this call confirmed. */
	confirm(orderIds: string[]): Promise<string[]>;
	/** Returns the orders whose reservation this call released. */
	release(orderIds: string[]): Promise<string[]>;
}

export interface SweepOptions {
	everyMs?: number;
	/** Longer than placing an order takes, or the sweep would void orders that are still being placed. */
	olderThanMs?: number;
}

const MAX_ORDERS = 500;

export const inventoryReservations = ({ call }: Caller): Reservations => ({
	listPending: (olderThanMs, limit) => call("inventory.listPending", { olderThanMs, limit }),
	confirm: orderIds => call("inventory.confirm", { orderIds }),
	release: orderIds => call("inventory.release", { orderIds })
});

/**
 * Confirms or releases every reservation that is older than this and still pending. Ids that are no orders are voided before they are released, so
 * an order that is still being placed cannot be stored after its reservation was released. An order that exists is confirmed, as its message
 * `order.created` will do again without effect. Returns the orders for which this sweep changed something.
 */
export async function sweepOrphanedReservations(
	reservations: Reservations,
	voidUnknown: OrderStore["voidUnknown"],
	olderThanMs: number
): Promise<{ confirmed: string[]; released: string[] }> {
	const confirmed: string[] = [];
	const released: string[] = [];
	let pending: string[];
	do {
		pending = await reservations.listPending(olderThanMs, MAX_ORDERS);
		if (pending.length === 0) break;
		const stored = new Set(await voidUnknown(pending));
		const [known, orphaned] = [pending.filter(id => stored.has(id)), pending.filter(id => !stored.has(id))];
		if (known.length > 0) confirmed.push(...(await reservations.confirm(known)));
		if (orphaned.length > 0) released.push(...(await reservations.release(orphaned)));
	} while (pending.length === MAX_ORDERS);
	return { confirmed, released };
}

/** Sweeps periodically. Every node may: each reservation is confirmed or released once. */
export function startOrphanSweep(
	reservations: Reservations,
	voidUnknown: OrderStore["voidUnknown"],
	logger: Pick<Logger, "info" | "warn">,
	{ everyMs = 15_000, olderThanMs = 60_000 }: SweepOptions = {}
) {
	const sweep = async () => {
		const { confirmed, released } = await sweepOrphanedReservations(reservations, voidUnknown, olderThanMs);
		if (confirmed.length > 0) logger.info(`confirmed ${confirmed.length} reservations whose order.created is not consumed yet`);
		for (const order of released) logger.info("released the reservation of an order that was never stored", { order });
	};

	return periodicTask(sweep, { everyMs, logger, what: "releasing orphaned reservations" });
}
