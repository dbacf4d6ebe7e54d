// What is decided about stock beside the reservations themselves: what is told of it, and what is said to who is refused.
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Level, Movement, Request, Reserved } from "../../mixins/reservation/reservation.rules.ts";
import type { Line, Refusal, StockLevel } from "./inventory.contract.ts";

/** An order's reservation. */
export const toRequest = ({ orderId, lines }: { orderId: string; lines: Line[] }): Request => ({
	holder: orderId,
	lines: lines.map(({ productId, quantity }) => ({ item: productId, quantity }))
});

export const toResponse = ({ item, label, stock, reserved }: Level): StockLevel => ({
	productId: item,
	sku: label,
	stock,
	reserved
});

/** A message for each change of what lies on a shelf; how much of it is reserved is nobody else's business, and a product's first stock is told with the product. */
export const toMessages = (movements: Movement[], requestIDs: ReadonlyMap<string, string | undefined>): Entry[] =>
	movements
		.filter(({ kind, stock, previousStock }) => kind !== "open" && stock !== previousStock)
		.map(({ item, label, stock, previousStock, version, holder }) => ({
			topic: "inventory.updated",
			message: { productId: item, stock, previousStock, sku: label },
			headers: { version: String(version) },
			requestID: requestIDs.get(holder)
		}));

/** Why nothing was reserved, if nothing was. */
export function toRefusal(answer: Reserved): Refusal | null {
	if ("done" in answer) return null;
	if (answer.refused !== "OUT_OF_STOCK") return { type: "CONFLICT" };
	const { item: productId, requested, available } = answer;
	return { type: "OUT_OF_STOCK", productId, requested, available };
}
