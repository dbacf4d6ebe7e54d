// The form that puts a new product up for sale.
import { parseAmount } from "./amount.js";
import { createFormErrors, sentence } from "./form-errors.js";
import { Refused } from "./retry.js";

const UNREACHABLE = "Plaza cannot be reached right now. What you typed is still here: try again in a moment.";

/** How many lie on a shelf, as it was typed; undefined where it is no number of things. */
export const parseStock = text => (/^\d{1,10}$/.test(text.trim()) ? Number(text) : undefined);

/**
 * @param {object} options
 * @param {HTMLFormElement} options.form
 * @param {(product: object) => Promise<void>} options.add rejects with `Refused` or `Unavailable`
 */
export function createProductForm({ form, add }) {
	const errors = createFormErrors(form);
	const problem = form.querySelector("[role=alert]");
	const button = form.querySelector("[type=submit]");

	/** What was typed as a product; undefined where it is none. */
	function read() {
		const { category, ...typed } = Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]));
		const [price, stock] = [parseAmount(typed.price), parseStock(typed.stock)];
		const wrong = [
			...(price.fault ? [{ field: "price", message: price.fault }] : []),
			...(stock === undefined ? [{ field: "stock", message: "must be a whole number" }] : [])
		];
		if (errors.show(wrong)) return undefined;
		return { ...typed, price: price.amount, stock, ...(category && { category }) };
	}

	async function send(product) {
		button.setAttribute("aria-disabled", "true");
		try {
			await add(product);
			form.reset();
			form.elements[0].focus();
		} catch (error) {
			if (!(error instanceof Refused)) problem.textContent = UNREACHABLE;
			else if (!errors.show(error.faults)) problem.textContent = sentence(error.message);
		} finally {
			button.removeAttribute("aria-disabled");
		}
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		if (button.getAttribute("aria-disabled") === "true") return;
		problem.textContent = "";
		errors.clear();
		if (errors.showEmpty()) return;
		const product = read();
		if (product) void send(product);
	});
}
