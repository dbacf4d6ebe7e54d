// The form that places an order for the chosen products.
import { createFormErrors, sentence } from "./form-errors.js";
import { freshId } from "./id.js";
import { Refused } from "./retry.js";

const MAX_QUANTITY = 10_000;
const SLOW_AFTER_MS = 3_000;
const SLOW = "Plaza cannot be reached right now. Your order is being sent again, and counts once.";

/**
 * @param {object} options
 * @param {HTMLFormElement} options.form
 * @param {HTMLElement} options.problem
 * @param {HTMLElement} options.waiting
 * @param {() => { productId: string, text: string }[]} options.chosen the quantities as typed
 * @param {(productId: string) => string} options.nameOf
 * @param {() => boolean} options.mayOrder false: the user is asked to sign in
 * @param {(order: object, idempotencyKey: string) => Promise<void>} options.place
 * @param {() => void} options.onPlaced
 */
export function createOrderForm({ form, problem, waiting, chosen, nameOf, mayOrder, place, onPlaced }) {
	const errors = createFormErrors(form);
	const button = form.querySelector("[type=submit]");
	let isBusy = false;

	function showProblem(text) {
		problem.textContent = text;
	}

	/** The order lines; undefined if what was typed is not valid. */
	function items() {
		const lines = chosen().map(({ productId, text }) => ({ productId, quantity: Number(text) }));
		const wrong = lines.find(({ quantity }) => !Number.isInteger(quantity) || quantity < 0 || quantity > MAX_QUANTITY);
		const wanted = lines.filter(({ quantity }) => quantity > 0);
		if (wrong) showProblem(`Of ${nameOf(wrong.productId)} order a whole number, at most ${MAX_QUANTITY}.`);
		else if (wanted.length === 0) showProblem("Choose how many of what you want first.");
		return wrong || wanted.length === 0 ? undefined : wanted;
	}

	function showRefusal({ type, message, data, fieldErrors: fields }) {
		if (type === "OUT_OF_STOCK") showProblem(`Of ${nameOf(data.productId)} only ${data.available} can be ordered right now.`);
		else if (!errors.show(fields.map(({ field, message }) => ({ field: field.replace("shippingAddress.", ""), message }))))
			showProblem(sentence(message));
	}

	async function send(order) {
		isBusy = true;
		button.setAttribute("aria-disabled", "true");
		const timer = setTimeout(() => {
			waiting.textContent = SLOW;
		}, SLOW_AFTER_MS);
		try {
			// One key for all retries.
			await place(order, freshId());
			onPlaced();
		} catch (error) {
			// Any other error: the session was closed meanwhile.
			if (error instanceof Refused) showRefusal(error);
		} finally {
			clearTimeout(timer);
			waiting.textContent = "";
			button.removeAttribute("aria-disabled");
			isBusy = false;
		}
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		if (isBusy) return;
		showProblem("");
		errors.clear();
		const wanted = items();
		if (!wanted || errors.showEmpty() || !mayOrder()) return;
		const shippingAddress = Object.fromEntries([...new FormData(form)].map(([name, text]) => [name, text.trim()]));
		void send({ items: wanted, shippingAddress });
	});
}
