// The orders that a page has loaded, with their status. Responses, events and lists may arrive in any order: each status change is reported once,
// and a status never goes back.

const STEPS = ["pending", "processing", "shipped", "delivered"];

export const mayBeCancelled = status => status === "pending" || status === "processing";
/** The next status; undefined after the last one. */
export const nextOf = status => (STEPS.includes(status) ? STEPS[STEPS.indexOf(status) + 1] : undefined);

/** The status changes that lead from one status to another; empty if it is an earlier or unreachable one. */
export function stepsBetween(from, to) {
	if (to === "cancelled") return mayBeCancelled(from) ? [to] : [];
	return from === "cancelled" ? [] : STEPS.slice(STEPS.indexOf(from) + 1, STEPS.indexOf(to) + 1);
}

const newestFirst = (one, other) => (one.createdAt < other.createdAt ? 1 : one.createdAt > other.createdAt ? -1 : 0);

/**
 * @param {object} options
 * @param {(order: object) => void} options.onPlaced a new order was placed
 * @param {(orderId: string, status: string) => void} options.onStep the status of an order has changed
 * @param {() => void} options.onChange once after all changes of one call
 */
export function createOrderStore({ onPlaced, onStep, onChange }) {
	const orders = new Map();
	/** Also of orders that were never loaded because they are too old. */
	const statuses = new Map();
	let isRead = false;

	function advance(orderId, status) {
		const from = statuses.get(orderId);
		for (const step of from === undefined ? [status] : stepsBetween(from, status)) {
			statuses.set(orderId, step);
			onStep(orderId, step);
		}
	}

	function put(order, isNews) {
		const { orderId, status } = order;
		const isKnown = orders.has(orderId);
		// Events have fewer fields than responses.
		orders.set(orderId, { ...orders.get(orderId), ...order });
		if (!isKnown && isNews) onPlaced(order);
		if (statuses.has(orderId)) advance(orderId, status);
		else statuses.set(orderId, status);
	}

	return {
		/** Newest first. */
		list: () => Array.from(orders.values(), order => ({ ...order, status: statuses.get(order.orderId) })).sort(newestFirst),

		/** Applies a list that starts at the newest order. From the second list on, an unknown order is a new one unless a known one is newer. */
		read: newest => {
			const last = newest.findLastIndex(({ orderId }) => orders.has(orderId));
			for (const [n, order] of newest.entries()) put(order, isRead && (last < 0 || n < last));
			isRead = true;
			onChange();
		},
		/** Applies a page of older orders. */
		readMore: older => {
			for (const order of older) put(order, false);
			onChange();
		},
		/** Applies one order from an event or a response. */
		put: order => {
			put(order, true);
			onChange();
		},
		step: (orderId, status) => {
			advance(orderId, status);
			onChange();
		}
	};
}
