// The orders that a page knows of, each as far as it has come. Whoever brings news first, an answer, an event or a list that was read again: each step
// of an order is news once, and no order goes back.

const STEPS = ["pending", "processing", "shipped", "delivered"];

export const mayBeCancelled = status => status === "pending" || status === "processing";
/** The next step on its way; undefined where there is none. */
export const nextOf = status => (STEPS.includes(status) ? STEPS[STEPS.indexOf(status) + 1] : undefined);

/** The steps that lead from one status to another; none where that lies behind, or beside the way. */
export function stepsBetween(from, to) {
	if (to === "cancelled") return mayBeCancelled(from) ? [to] : [];
	return from === "cancelled" ? [] : STEPS.slice(STEPS.indexOf(from) + 1, STEPS.indexOf(to) + 1);
}

const newestFirst = (one, other) => (one.createdAt < other.createdAt ? 1 : one.createdAt > other.createdAt ? -1 : 0);

/**
 * @param {object} options
 * @param {(order: object) => void} options.onPlaced there is a new order
 * @param {(orderId: string, status: string) => void} options.onStep one has taken a step
 * @param {() => void} options.onChange once for all of that
 */
export function createOrderStore({ onPlaced, onStep, onChange }) {
	const orders = new Map();
	/** Also of orders that were never read, because they are too old. */
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
		// Events say less of an order than answers do.
		orders.set(orderId, { ...orders.get(orderId), ...order });
		if (!isKnown && isNews) onPlaced(order);
		if (statuses.has(orderId)) advance(orderId, status);
		else statuses.set(orderId, status);
	}

	return {
		/** The newest first. */
		list: () => Array.from(orders.values(), order => ({ ...order, status: statuses.get(order.orderId) })).sort(newestFirst),

		/** What was read from the newest on. From the second time on what is not known yet is news, unless it is older than what is. */
		read: newest => {
			const last = newest.findLastIndex(({ orderId }) => orders.has(orderId));
			for (const [n, order] of newest.entries()) put(order, isRead && (last < 0 || n < last));
			isRead = true;
			onChange();
		},
		/** Older ones were read, too. */
		readMore: older => {
			for (const order of older) put(order, false);
			onChange();
		},
		/** An order as somebody told it: an event, or an answer. */
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
