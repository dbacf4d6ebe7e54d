// The orders of all users, for admins.
import { cancellingHere, notCancelledHere, orderToasts, productToasts } from "./admin-toasts.js";
import { openCommerceSession } from "./commerce-session.js";
import { orderRow } from "./order-row.js";
import { createOrderStore } from "./order-store.js";
import { announce, element, openPage, showConnection } from "./page.js";
import { createProductStore } from "./product-store.js";
import { createRows } from "./rows.js";

let session;

async function changeStatus({ orderId }, status) {
	if (status === "cancelled") cancellingHere(orderId);
	try {
		session.applyOrder(await session.once("PATCH", `/api/orders/${encodeURIComponent(orderId)}/status`, { body: { status } }));
	} catch (error) {
		notCancelledHere(orderId);
		throw error;
	}
}

const showOrders = createRows({
	list: element("orders"),
	idOf: ({ orderId }) => orderId,
	make: orderRow({ template: element("order"), isAdmin: true, changeStatus: changeStatus })
});

function showProblem(text) {
	element("problem").textContent = text;
}

const more = element("more");
more.addEventListener("click", () => session.moreOrders().catch(({ message }) => showProblem(message)));

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
		const orderStore = createOrderStore({
			...orderToasts,
			onPlaced: ({ orderId, total }) => announce(orderId, `new order, ${total}`),
			onChange: () => showOrders(orderStore.list())
		});
		session = openCommerceSession({
			who,
			isDashboard: true,
			orderStore,
			// Only for stock alerts: alerts missed while disconnected are found by comparing stock levels.
			productStore: createProductStore({ ...productToasts, onChange: () => {} }),
			productsWanted: Number.POSITIVE_INFINITY,
			showMore: (list, hasMore) => {
				if (list === "orders") more.hidden = !hasMore;
			},
			showProblem
		});
		return session;
	}
});
