// What a buyer is told of their orders, on whichever page they are.
import { toast } from "./toasts.js";

export const buyerToasts = {
	onPlaced: () => toast("Order placed"),
	onStep: (_orderId, status) => toast(status === "cancelled" ? "Order cancelled" : `Order status: ${status}`)
};
