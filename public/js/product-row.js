// One product that can be ordered.
import { formatAmount } from "./amount.js";

/** What the pages call what is left of a product. */
export const left = stock => (stock > 0 ? `${stock} left` : "sold out");

/**
 * @param {HTMLTemplateElement} template
 * @param {(productId: string, text: string) => void} onQuantity somebody has typed how many they want
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
