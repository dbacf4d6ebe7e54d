// Everybody's orders, for those who send them on their way.
import { cancellingHere, notCancelledHere, orderToasts, productToasts } from "./admin-toasts.js";
import { openMarket } from "./commerce-session.js";
import { orderRow } from "./order-row.js";
import { createOrderBook } from "./order-store.js";
import { announce, element, openPage, showConnection } from "./page.js";
import { createShelf } from "./product-store.js";
import { createRows } from "./rows.js";

let market;

async function bring({ orderId }, status) {
	if (status === "cancelled") cancellingHere(orderId);
	try {
		market.tellOrder(await market.once("PATCH", `/api/orders/${encodeURIComponent(orderId)}/status`, { body: { status } }));
	} catch (error) {
		notCancelledHere(orderId);
		throw error;
	}
}

const showOrders = createRows({
	list: element("orders"),
	idOf: ({ orderId }) => orderId,
	make: orderRow({ template: element("order"), isAdmin: true, bring })
});

function showProblem(text) {
	element("problem").textContent = text;
}

const more = element("more");
more.addEventListener("click", () => market.moreOrders().catch(({ message }) => showProblem(message)));

openPage({
	guestName: "guest",
	enter: who => {
		const isAdmin = who.role === "admin";
		element("refused").hidden = isAdmin;
		element("admins").hidden = !isAdmin;
		showOrders([]);
		showProblem("");
		if (!isAdmin) {
			showConnection("off", "not signed in");
			return { close: () => 0 };
		}
		const book = createOrderBook({
			...orderToasts,
			onPlaced: ({ orderId, total }) => announce(orderId, `new order, ${total}`),
			onChange: () => showOrders(book.list())
		});
		market = openMarket({
			who,
			isDashboard: true,
			book,
			// For the alerts alone: which were missed is seen in what is left.
			shelf: createShelf({ ...productToasts, onChange: () => {} }),
			productsWanted: Number.POSITIVE_INFINITY,
			showMore: (list, hasMore) => {
				if (list === "orders") more.hidden = !hasMore;
			},
			showProblem
		});
		return market;
	}
});
