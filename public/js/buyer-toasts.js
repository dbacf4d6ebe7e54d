// Toasts for buyers about their orders, on all pages.
import { toast } from "./toasts.js";

export const buyerToasts = {
	onPlaced: () => toast("Order placed"),
	onStep: (_orderId, status) => toast(status === "cancelled" ? "Order cancelled" : `Order status: ${status}`)
};
