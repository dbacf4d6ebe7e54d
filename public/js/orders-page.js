// A buyer's own orders.
import { buyerToasts } from "./buyer-toasts.js";
import { openMarket } from "./commerce-session.js";
import { orderRow } from "./order-row.js";
import { createOrderBook } from "./order-store.js";
import { element, openPage, showConnection } from "./page.js";
import { createRows } from "./rows.js";

let market;

const showOrders = createRows({
	list: element("orders"),
	idOf: ({ orderId }) => orderId,
	make: orderRow({
		template: element("order"),
		isAdmin: false,
		bring: async ({ orderId }) => market.tellOrder(await market.once("POST", `/api/orders/${encodeURIComponent(orderId)}/cancel`))
	})
});

function showProblem(text) {
	element("problem").textContent = text;
}

const more = element("more");
more.addEventListener("click", () => market.moreOrders().catch(({ message }) => showProblem(message)));

openPage({
	guestName: "guest",
	enter: who => {
		const isGuest = who.role === undefined;
		element("nobody").hidden = !isGuest;
		more.hidden = true;
		showProblem("");
		showOrders([]);
		if (isGuest) {
			showConnection("off", "not signed in");
			return { close: () => 0 };
		}
		const book = createOrderBook({ ...buyerToasts, onChange: () => showOrders(book.list()) });
		market = openMarket({
			who,
			isDashboard: false,
			book,
			showProblem,
			showMore: (_list, hasMore) => {
				more.hidden = !hasMore;
			}
		});
		return market;
	}
});
