// A buyer's own orders.
import { buyerToasts } from "./buyer-toasts.js";
import { openCommerceSession } from "./commerce-session.js";
import { orderRow } from "./order-row.js";
import { createOrderStore } from "./order-store.js";
import { element, openPage, showConnection } from "./page.js";
import { createRows } from "./rows.js";

let session;

const showOrders = createRows({
	list: element("orders"),
	idOf: ({ orderId }) => orderId,
	make: orderRow({
		template: element("order"),
		isAdmin: false,
		changeStatus: async ({ orderId }) =>
			session.applyOrder(await session.once("POST", `/api/orders/${encodeURIComponent(orderId)}/cancel`))
	})
});

function showProblem(text) {
	element("problem").textContent = text;
}

const more = element("more");
more.addEventListener("click", () => session.moreOrders().catch(({ message }) => showProblem(message)));

openPage({
	guestName: "guest",
	enter: who => {
		const isGuest = who.role === undefined;
		element("guest-notice").hidden = !isGuest;
		more.hidden = true;
		showProblem("");
		showOrders([]);
		if (isGuest) {
			showConnection("off", "not signed in");
			return { close: () => 0 };
		}
		const orderStore = createOrderStore({ ...buyerToasts, onChange: () => showOrders(orderStore.list()) });
		session = openCommerceSession({
			who,
			isDashboard: false,
			orderStore,
			showProblem,
			showMore: (_list, hasMore) => {
				more.hidden = !hasMore;
			}
		});
		return session;
	}
});
