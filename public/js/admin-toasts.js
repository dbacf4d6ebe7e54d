// Toasts for admins, on all their pages.
import { toast } from "./toasts.js";

/** Orders that this page has cancelled. The event does not say who cancelled; any other is reported as the customer's. */
const cancelledHere = new Set();
export const cancellingHere = orderId => cancelledHere.add(orderId);
export const notCancelledHere = orderId => cancelledHere.delete(orderId);

export const orderToasts = {
	onPlaced: () => {},
	onStep: (orderId, status) => {
		if (status === "cancelled") toast(`Order #${orderId} cancelled${cancelledHere.delete(orderId) ? "" : " by customer"}`);
	}
};

export const productToasts = {
	onNew: () => toast("New product added"),
	onLow: ({ sku, stock }) => toast(`Low stock alert: ${sku}, ${stock} left`, "alert")
};
