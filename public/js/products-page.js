// The products, and the order form.
import { formatAmount } from "./amount.js";
import { buyerToasts } from "./buyer-toasts.js";
import { openCommerceSession } from "./commerce-session.js";
import { createOrderForm } from "./order-form.js";
import { createOrderStore } from "./order-store.js";
import { element, openPage } from "./page.js";
import { productRow } from "./product-row.js";
import { createProductStore } from "./product-store.js";
import { createRows } from "./rows.js";

/** The typed quantity by product id; kept when the user signs in. */
const quantities = new Map();
let session;
let productStore;
let isGuest;

const list = element("products");
const productOf = id => productStore.list().find(({ productId }) => productId === id);

function showSum() {
	const cents = Array.from(quantities, ([id, text]) => Math.round((productOf(id)?.price ?? 0) * 100) * Number(text));
	const sum = cents.reduce((all, one) => all + one, 0) / 100;
	element("sum").textContent = Number.isFinite(sum) ? formatAmount(sum) : "–";
}

const showRows = createRows({
	list,
	idOf: ({ productId }) => productId,
	make: productRow(element("product"), (productId, text) => {
		quantities.set(productId, text);
		showSum();
	})
});

function showProblem(text) {
	element("problem").textContent = text;
}

const more = element("more");
more.addEventListener("click", () => session.moreProducts().catch(({ message }) => showProblem(message)));

const page = openPage({
	guestName: "guest",
	enter: who => {
		isGuest = who.role === undefined;
		showProblem("");
		productStore = createProductStore({
			onChange: () => {
				showRows(productStore.list());
				showSum();
			}
		});
		session = openCommerceSession({
			who,
			isDashboard: false,
			// For the toasts.
			orderStore: isGuest ? undefined : createOrderStore({ ...buyerToasts, onChange: () => {} }),
			productStore: productStore,
			showMore: (which, hasMore) => {
				if (which === "products") more.hidden = !hasMore;
			},
			showProblem
		});
		return session;
	}
});

createOrderForm({
	form: element("order"),
	problem: element("order-problem"),
	waiting: element("order-waiting"),
	chosen: () => Array.from(quantities, ([productId, text]) => ({ productId, text })),
	nameOf: id => productOf(id)?.name ?? id,
	mayOrder: () => {
		if (isGuest) page.askToSignIn();
		return !isGuest;
	},
	place: async (order, idempotencyKey) => {
		const { applyOrder, untilDone } = session;
		applyOrder(await untilDone("POST", "/api/orders", { body: order, idempotencyKey }));
	},
	onPlaced: () => {
		quantities.clear();
		for (const quantity of list.querySelectorAll(".quantity")) quantity.value = "0";
		showSum();
	}
});
