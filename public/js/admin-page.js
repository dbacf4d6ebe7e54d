// The dashboard: how it goes, and what there is to sell.
import { orderToasts, productToasts } from "./admin-toasts.js";
import { openMarket } from "./commerce-session.js";
import { showEquation, showFigures, showLow } from "./dashboard.js";
import { createOrderBook } from "./order-store.js";
import { element, openPage, showConnection } from "./page.js";
import { productEditor } from "./product-editor.js";
import { createProductForm } from "./product-form.js";
import { createShelf } from "./product-store.js";
import { createRows } from "./rows.js";
import { atMostEvery } from "./throttle.js";

const FIGURES_EVERY_MS = 1_000;
const EQUATION_EVERY_MS = 2_000;
/** Minutes pass and days begin without anybody's doing. */
const LOOK_EVERY_MS = 15_000;

let market;
let shelf;

const idOf = ({ productId }) => productId;
const showProducts = createRows({ list: element("products"), idOf, make: productEditor({ template: element("product"), save }) });

async function save(productId, { price, stock }) {
	const id = encodeURIComponent(productId);
	if (price !== undefined) {
		const { stock: _, ...product } = await market.once("PATCH", `/api/products/${id}`, { body: { price } });
		shelf.change(product);
	}
	if (stock !== undefined) shelf.move(await market.once("PATCH", `/api/inventory/${id}`, { body: { stock } }));
}

createProductForm({
	form: element("new-product"),
	add: async product => market.tellProduct(await market.once("POST", "/api/products", { body: product }))
});

function showProblem(text) {
	element("problem").textContent = text;
}

const midnight = () => new Date(new Date().setHours(0, 0, 0, 0)).toISOString();

function openDashboard(who) {
	const figures = atMostEvery(FIGURES_EVERY_MS, async () =>
		showFigures(await market.once("GET", `/api/order-figures?since=${midnight()}`))
	);
	const equation = atMostEvery(EQUATION_EVERY_MS, async () => {
		try {
			showEquation(await market.once("GET", "/api/inventory"));
		} catch (error) {
			if (error.name !== "AbortError") showEquation(undefined);
		}
	});
	const look = () => {
		figures.soon();
		equation.soon();
	};
	shelf = createShelf({
		...productToasts,
		onChange: () => {
			showProducts(shelf.list());
			showLow(shelf.list());
			equation.soon();
		}
	});
	market = openMarket({
		who,
		isDashboard: true,
		book: createOrderBook({ ...orderToasts, onChange: look }),
		shelf,
		productsWanted: Number.POSITIVE_INFINITY,
		showProblem,
		onConnected: look
	});
	const timer = setInterval(look, LOOK_EVERY_MS);
	const { close } = market;
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
