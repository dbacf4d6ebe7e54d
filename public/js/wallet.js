// The balance, the purchase form and the list of purchases.
import { formatAmount, parseAmount } from "./amount.js";

const MAX_SETTLED = 5;

/**
 * @param {object} options
 * @param {HTMLElement} options.balance
 * @param {HTMLFormElement} options.form
 * @param {HTMLUListElement} options.list
 * @param {(amount: number) => string} options.onBuy returns why the purchase cannot be accepted; empty if it is
 */
export function createWallet({ balance, form, list, onBuy }) {
	const { amount } = form.elements;
	const error = form.querySelector("#amount-error");
	/** The last settled purchases, the newest first. */
	const settled = [];

	function showFieldError(problem) {
		error.textContent = problem;
		amount.setAttribute("aria-invalid", String(problem !== ""));
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		const parsed = parseAmount(amount.value);
		const problem = parsed.problem ?? onBuy(parsed.amount);
		showFieldError(problem);
		amount.focus();
		if (problem === "") amount.value = "";
	});
	// A double click must not buy twice.
	form.addEventListener("click", event => event.detail > 1 && event.preventDefault());
	amount.addEventListener("input", () => showFieldError(""));

	function line(purchase, state, text) {
		const item = document.createElement("li");
		const amountElement = document.createElement("strong");
		amountElement.className = "amount";
		amountElement.textContent = formatAmount(purchase.amount);
		item.dataset.state = state;
		item.append(amountElement, " ", text);
		return item;
	}

	return {
		showBalance: total => {
			balance.textContent = formatAmount(total);
		},
		/** Clears the wallet for another user; the typed amount stays. */
		clear: () => {
			balance.textContent = "–";
			settled.length = 0;
			list.replaceChildren();
			showFieldError("");
		},
		/** Shows an error beside the amount; empty clears it. */
		showFieldError,
		/** Adds a purchase that was bought or refused. */
		settle: (purchase, refusal) => {
			settled.unshift(line(purchase, refusal ? "refused" : "bought", refusal ? `refused: ${refusal.message}` : "bought"));
			settled.length = Math.min(settled.length, MAX_SETTLED);
		},
		/** Shows the unsent purchases, and below them the last settled ones. */
		showPurchases: (waiting, state) =>
			list.replaceChildren(...waiting.toReversed().map(purchase => line(purchase, state, state)), ...settled)
	};
}
