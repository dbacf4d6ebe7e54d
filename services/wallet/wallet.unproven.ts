// Purchases on the topic without a valid proof that our outbox published them: from another system, mirrored, restored from a backup, older than five
// minutes, or forged.
import type { Logger } from "moleculer";
import type { Message, Received } from "../define-service.ts";
import { type BroughtTotal, purchaseIDOf, totalOf } from "./wallet.rules.ts";

export type ReceivedPurchase = Received<Message<"user_purchase">>;
export type Brought = BroughtTotal<ReceivedPurchase>;

const placeOf = ({ record: { topic, partition, offset } }: ReceivedPurchase) => `${topic}/${partition}/${offset}`;

/**
 * Records these purchases in Postgres. `known`: how many were stored before. A new purchase is published again by the outbox, with its total and a proof.
 * For a known purchase whose headers have a total, `lookedUp` has the user's total in Postgres: there may be no other record from which the balance
 * store gets it. Rejects with `CONFLICT` for an id that is stored with another amount, and with `UNAVAILABLE`.
 */
export async function recordUnproven(
	purchases: ReceivedPurchase[],
	logger: Pick<Logger, "warn">
): Promise<{ known: number; lookedUp: Brought[] }> {
	const wasNew = await Promise.all(
		purchases.map(async ({ message, record, ctx }) => {
			const { recorded } = await ctx.call("purchase.record", { ...message, id: purchaseIDOf(message.id, record) });
			return recorded;
		})
	);
	const claims = (isNew: boolean) => purchases.filter(({ record }, n) => wasNew[n] === isNew && totalOf(record.headers));
	const adopted = claims(true);
	if (adopted.length > 0)
		logger.warn(
			`recorded ${adopted.length} purchases that have headers like ours and were not in Postgres: mirrored, restored or forged; the first one was ${placeOf(adopted[0]!)}`
		);
	const byUser = Map.groupBy(claims(false), ({ message }) => message.user_id);
	const lookedUp = [...byUser].map(async ([user_id, [source]]): Promise<Brought> => {
		const total = await source!.ctx.call("purchase.total", { user_id });
		return { user_id, total, source: source!, isLookedUp: true };
	});
	return { known: wasNew.filter(isNew => !isNew).length, lookedUp: await Promise.all(lookedUp) };
}
