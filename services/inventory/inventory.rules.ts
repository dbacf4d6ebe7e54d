// What is decided about stock beside the reservations themselves: what is told of it, and what is said to who is refused.
import { Errors } from "moleculer";
import { conflict } from "../../mixins/errors.ts";
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Level, Movement, Request, Reserved } from "../../mixins/reservation/reservation.rules.ts";
import type { Line, StockLevel } from "./inventory.contract.ts";

/** An order's reservation. */
export const requestOf = (orderId: string, lines: Line[]): Request => ({
	holder: orderId,
	lines: lines.map(({ productId, quantity }) => ({ item: productId, quantity }))
});

export const shown = ({ item, label, stock, reserved }: Level): StockLevel => ({ productId: item, sku: label, stock, reserved });

/** A message for each change of what lies on a shelf; how much of it is reserved is nobody else's business, and a product's first stock is told with the product. */
export const updates = (movements: Movement[], requestIDs: ReadonlyMap<string, string | undefined>): Entry[] =>
	movements
		.filter(({ kind, stock, previousStock }) => kind !== "open" && stock !== previousStock)
		.map(({ item, label, stock, previousStock, version, holder }) => ({
			topic: "inventory.updated",
			message: { productId: item, stock, previousStock, sku: label },
			headers: { version: String(version) },
			requestID: requestIDs.get(holder)
		}));

/** 409 `OUT_OF_STOCK` or `CONFLICT`, if it was refused. */
export function refusalOf(answer: Reserved, { holder: orderId }: Request): Error | null {
	if ("done" in answer) return null;
	if (answer.refused === "OUT_OF_STOCK") {
		const { item: productId, requested, available } = answer;
		const data = { productId, requested, available };
		return new Errors.MoleculerClientError("There is not enough of this product", 409, "OUT_OF_STOCK", data);
	}
	const why =
		answer.refused === "GIVEN_BACK" ? "What this order had reserved was given back" : "This order has reserved something else";
	return conflict(why, { orderId });
}
