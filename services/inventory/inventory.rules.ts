// Decisions of inventory without I/O: its requests to the reservations, its messages and its refusals.
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Level, Movement, Request, Reserved } from "../../mixins/reservation/reservation.rules.ts";
import type { Line, Refusal, StockLevel } from "./inventory.contract.ts";

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

/** One message for each change of `stock`. A changed `reserved` is not published, and a product's first stock is in `product.created`. */
export const toMessages = (movements: Movement[], requestIDs: ReadonlyMap<string, string | undefined>): Entry[] =>
	movements
		.filter(({ kind, stock, previousStock }) => kind !== "open" && stock !== previousStock)
		.map(({ item, label, stock, previousStock, version, holder }) => ({
			topic: "inventory.updated",
			message: { productId: item, stock, previousStock, sku: label },
			headers: { version: String(version) },
			requestID: requestIDs.get(holder)
		}));

/** The refusal that an answer holds; null if the lines are reserved. */
function toRefusal(answer: Reserved): Refusal | null {
	if ("done" in answer) return null;
	if (answer.refused !== "OUT_OF_STOCK") return { type: "CONFLICT" };
	// A refusal names one product: the first of the order.
	const { item: productId, requested, available } = answer.missing[0]!;
	return { type: "OUT_OF_STOCK", productId, requested, available };
}

/** The refusals of one call, in order; an error if it is not known of one of its orders what is reserved. Its caller retries or releases all of them. */
export const toRefusals = (answers: (Reserved | Error)[]): (Refusal | null)[] | Error =>
	answers.find(answer => answer instanceof Error) ?? (answers as Reserved[]).map(toRefusal);
