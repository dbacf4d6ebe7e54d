// The statistics of the dashboard, all loaded from the server: the page itself may have loaded only the newest orders.
import { formatAmount } from "./amount.js";
import { createChart } from "./chart.js";
import { left } from "./product-row.js";
import { LOW_STOCK } from "./product-store.js";
import { createRows } from "./rows.js";

const element = id => document.getElementById(id);
const drawChart = createChart(element("chart"));

/** @param {object} statistics as `GET /api/order-figures` answers */
export function showStatistics({ statuses, revenue, minutes }) {
	for (const shown of document.querySelectorAll("[data-status]")) shown.textContent = statuses[shown.dataset.status];
	element("revenue").textContent = formatAmount(revenue);
	drawChart(minutes);
}

function showState(state, text) {
	const light = element("light");
	light.dataset.state = state;
	if (light.textContent !== text) light.textContent = text;
}

/** @param {object | undefined} equation as `GET /api/inventory` answers; undefined: it could not be loaded */
export function showLedgerCheck(equation) {
	if (!equation) return showState("waiting", "cannot be checked right now");
	for (const shown of document.querySelectorAll("[data-sum]")) shown.textContent = equation[shown.dataset.sum];
	const { stock, sold, returned, putIn, reserved, broken } = equation;
	const holds = broken.length === 0 && stock + sold - returned === putIn && reserved >= 0 && reserved <= stock;
	showState(holds ? "good" : "bad", holds ? "holds for every product" : `broken: ${broken.join(", ") || "the sums differ"}`);
}

const showRows = createRows({
	list: element("low"),
	idOf: ({ productId }) => productId,
	make: ({ productId }) => {
		const row = document.createElement("li");
		const [name, stock] = [document.createElement("span"), document.createElement("strong")];
		row.dataset.product = productId;
		stock.className = "left";
		row.append(name, stock);
		return {
			element: row,
			show: product => {
				name.textContent = `${product.name} (${product.sku})`;
				stock.textContent = left(product.stock);
				stock.dataset.stock = product.stock;
			}
		};
	}
});

/** Products with low stock, the lowest first. */
export const showLow = products =>
	showRows(products.filter(({ stock }) => stock < LOW_STOCK).sort((one, other) => one.stock - other.stock));
