// Reservations of orders that were never stored: who reserved them died in between, and no message will ever come of them.
import type { Logger } from "moleculer";
import { periodicTask } from "../../mixins/periodic-task.ts";
import type { InventoryStore } from "./inventory.store.ts";

type Store = Pick<InventoryStore, "waiting" | "deduct" | "giveBack">;

/** What `orders.settle` takes at once. */
const MAX_TOGETHER = 1_000;
const EVERY_MS = 15_000;
/** Longer than an order is on its way, or there would be much to ask about. */
const OLDER_MS = 60_000;

/**
 * Asks what became of the orders that reserved longer ago than this and have had nothing deducted: of those that exist it is deducted, as their message
 * will ask for again; what the others hold is given back. `settle` answers those that exist, and sees to it that no other comes to exist, so that
 * it does not matter how long ago is long enough.
 */
export async function settleOrphans(
	store: Store,
	settle: (ids: string[]) => Promise<string[]>,
	olderMs: number
): Promise<{ deducted: number; givenBack: string[] }> {
	const givenBack: string[] = [];
	let deducted = 0;
	let ids: string[];
	do {
		ids = await store.waiting(olderMs, MAX_TOGETHER);
		if (ids.length === 0) break;
		const exist = new Set(await settle(ids));
		const steps = ids.map(orderId => ({ orderId }));
		const kept = await store.deduct(steps.filter(({ orderId }) => exist.has(orderId)));
		deducted += kept.filter(answer => answer === "deducted").length;
		const orphans = steps.filter(({ orderId }) => !exist.has(orderId));
		const answers = await store.giveBack(orphans);
		givenBack.push(...orphans.flatMap(({ orderId }, n) => (answers[n] === "given back" ? [orderId] : [])));
	} while (ids.length === MAX_TOGETHER);
	return { deducted, givenBack };
}

/** Starts to look now and then. */
export function startSettling(
	store: Store,
	settle: (ids: string[]) => Promise<string[]>,
	logger: Pick<Logger, "info" | "warn">,
	{ everyMs = EVERY_MS, olderMs = OLDER_MS } = {}
) {
	const look = async () => {
		const { deducted, givenBack } = await settleOrphans(store, settle, olderMs);
		if (deducted > 0) logger.info(`deducted for ${deducted} orders whose messages have not come yet`);
		for (const order of givenBack) logger.info("gave back what was reserved for an order that was never stored", { order });
	};

	return periodicTask(look, { everyMs, logger, what: "releasing reservations without an order" });
}
