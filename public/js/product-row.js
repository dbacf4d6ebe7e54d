// One product that can be ordered.
import { formatAmount } from "./amount.js";

/** The label for a stock level. */
export const left = stock => (stock > 0 ? `${stock} left` : "sold out");

/**
 * @param {HTMLTemplateElement} template
 * @param {(productId: string, text: string) => void} onQuantity the user has typed a quantity
 */
export const productRow = (template, onQuantity) => first => {
	const element = template.content.cloneNode(true).firstElementChild;
	const part = name => element.querySelector(`.${name}`);
	const quantity = part("quantity");
	element.dataset.product = first.productId;
	quantity.addEventListener("input", () => onQuantity(first.productId, quantity.value));

	return {
		element,
		show: ({ name, description, price, stock }) => {
			part("name").textContent = name;
			part("of").textContent = name;
			part("description").textContent = description;
			part("price").textContent = formatAmount(price);
			const shown = part("left");
			if (shown.textContent !== left(stock)) shown.textContent = left(stock);
			shown.dataset.stock = stock;
		}
	};
};
