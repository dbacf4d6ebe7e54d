// The balance, the purchase form and what became of the purchases.
import { formatAmount, parseAmount } from "./amount.js";

const SETTLED_SHOWN = 5;

/**
 * @param {object} options
 * @param {HTMLElement} options.balance
 * @param {HTMLFormElement} options.form
 * @param {HTMLUListElement} options.list
 * @param {(amount: number) => string} options.onBuy answers why the purchase cannot be taken on; empty if it can
 */
export function createWallet({ balance, form, list, onBuy }) {
	const { amount } = form.elements;
	const error = form.querySelector("#amount-error");
	/** What became of the last purchases, the newest first. */
	const settled = [];

	function showFault(fault) {
		error.textContent = fault;
		amount.setAttribute("aria-invalid", String(fault !== ""));
	}

	form.addEventListener("submit", event => {
		event.preventDefault();
		const parsed = parseAmount(amount.value);
		const fault = parsed.fault ?? onBuy(parsed.amount);
		showFault(fault);
		amount.focus();
		if (fault === "") amount.value = "";
	});
	// The second click of a double click is not a second purchase.
	form.addEventListener("click", event => event.detail > 1 && event.preventDefault());
	amount.addEventListener("input", () => showFault(""));

	function line(purchase, state, text) {
		const item = document.createElement("li");
		const figure = document.createElement("strong");
		figure.className = "amount";
		figure.textContent = formatAmount(purchase.amount);
		item.dataset.state = state;
		item.append(figure, " ", text);
		return item;
	}

	return {
		showBalance: total => {
			balance.textContent = formatAmount(total);
		},
		/** Somebody else's wallet is about to be shown. What is being typed stays. */
		clear: () => {
			balance.textContent = "–";
			settled.length = 0;
			list.replaceChildren();
			showFault("");
		},
		/** Says what is wrong beside the amount; empty: nothing is. */
		showFault,
		/** A purchase has come to its end: bought, or refused. */
		settle: (purchase, refusal) => {
			settled.unshift(line(purchase, refusal ? "refused" : "bought", refusal ? `refused: ${refusal.message}` : "bought"));
			settled.length = Math.min(settled.length, SETTLED_SHOWN);
		},
		/** Shows what is still on its way, and below it what became of the last ones. */
		showPurchases: (waiting, state) =>
			list.replaceChildren(...waiting.toReversed().map(purchase => line(purchase, state, state)), ...settled)
	};
}
