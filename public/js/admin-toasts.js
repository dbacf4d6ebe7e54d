// What admins are told, on whichever of their pages they are.
import { toast } from "./toasts.js";

/** Orders that this page has cancelled itself: of any other nothing says who it was, and customers it is nearly always. */
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
