// The form that creates a product.
import { parseAmount } from "./amount.js";
import { createFormErrors, sentence } from "./form-errors.js";
import { Refused } from "./retry.js";

const UNREACHABLE = "Plaza cannot be reached right now. What you typed is still here: try again in a moment.";

/** A stock as typed; undefined if it is not a whole number. */
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

	/** The typed product; undefined if it is not valid. */
	function read() {
		const { category, ...typed } = Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]));
		const [price, stock] = [parseAmount(typed.price), parseStock(typed.stock)];
		const wrong = [
			...(price.problem ? [{ field: "price", message: price.problem }] : []),
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
			else if (!errors.show(error.fieldErrors)) problem.textContent = sentence(error.message);
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
