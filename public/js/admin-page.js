// The dashboard: statistics, and the products.
import { orderToasts, productToasts } from "./admin-toasts.js";
import { openCommerceSession } from "./commerce-session.js";
import { showLedgerCheck, showLow, showStatistics } from "./dashboard.js";
import { createOrderStore } from "./order-store.js";
import { element, openPage, showConnection } from "./page.js";
import { productEditor } from "./product-editor.js";
import { createProductForm } from "./product-form.js";
import { createProductStore } from "./product-store.js";
import { createRows } from "./rows.js";
import { throttle } from "./throttle.js";

const STATISTICS_INTERVAL_MS = 1_000;
const LEDGER_CHECK_INTERVAL_MS = 2_000;
/** Statistics per minute and day change without any event. */
const REFRESH_MS = 15_000;

let session;
let productStore;

const idOf = ({ productId }) => productId;
const showProducts = createRows({ list: element("products"), idOf, make: productEditor({ template: element("product"), save }) });

async function save(productId, { price, stock }) {
	const id = encodeURIComponent(productId);
	if (price !== undefined) {
		const { stock: _, ...product } = await session.once("PATCH", `/api/products/${id}`, { body: { price } });
		productStore.change(product);
	}
	if (stock !== undefined) productStore.move(await session.once("PATCH", `/api/inventory/${id}`, { body: { stock } }));
}

createProductForm({
	form: element("new-product"),
	add: async product => session.applyProduct(await session.once("POST", "/api/products", { body: product }))
});

function showProblem(text) {
	element("problem").textContent = text;
}

const midnight = () => new Date(new Date().setHours(0, 0, 0, 0)).toISOString();

function openDashboard(who) {
	const statistics = throttle(STATISTICS_INTERVAL_MS, async () =>
		showStatistics(await session.once("GET", `/api/order-figures?since=${midnight()}`))
	);
	const equation = throttle(LEDGER_CHECK_INTERVAL_MS, async () => {
		try {
			showLedgerCheck(await session.once("GET", "/api/inventory"));
		} catch (error) {
			if (error.name !== "AbortError") showLedgerCheck(undefined);
		}
	});
	const refresh = () => {
		statistics.soon();
		equation.soon();
	};
	productStore = createProductStore({
		...productToasts,
		onChange: () => {
			showProducts(productStore.list());
			showLow(productStore.list());
			equation.soon();
		}
	});
	session = openCommerceSession({
		who,
		isDashboard: true,
		orderStore: createOrderStore({ ...orderToasts, onChange: refresh }),
		productStore: productStore,
		productsWanted: Number.POSITIVE_INFINITY,
		showProblem,
		onConnected: refresh
	});
	const timer = setInterval(refresh, REFRESH_MS);
	const { close } = session;
	return {
		close: () => {
			clearInterval(timer);
			return close();
		}
	};
}

openPage({
	guestName: "guest",
	enter: who => {
		const isAdmin = who.role === "admin";
		element("refused").hidden = isAdmin;
		element("admins").hidden = !isAdmin;
		showProblem("");
		showProducts([]);
		showLow([]);
		if (isAdmin) return openDashboard(who);
		showConnection("off", "not signed in");
		return { close: () => 0 };
	}
});
