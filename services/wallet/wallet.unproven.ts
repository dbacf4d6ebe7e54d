// Purchases on the topic that our outbox has not provably published: bought elsewhere, mirrored, restored from a backup, older than a proof lasts, or forged.
import type { Logger } from "moleculer";
import type { Message, Received } from "../define-service.ts";
import { type BroughtTotal, purchaseIDOf, totalOf } from "./wallet.rules.ts";

export type ReceivedPurchase = Received<Message<"user_purchase">>;
export type Brought = BroughtTotal<ReceivedPurchase>;

const placeOf = ({ record: { topic, partition, offset } }: ReceivedPurchase) => `${topic}/${partition}/${offset}`;

/**
 * Records these purchases in Postgres. `known`: how many were there before. A purchase that is new comes back from the outbox, with its total. A known one
 * whose headers have a total may be the only record that brings its user's total to the store: `lookedUp` has it, as Postgres says. Rejects with
 * `CONFLICT` for an id that was bought with another amount, and with `UNAVAILABLE`.
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
