// One product for admins, with editable price and stock.
import { formatAmount, parseAmount } from "./amount.js";
import { sentence } from "./form-errors.js";
import { parseStock } from "./product-form.js";
import { left } from "./product-row.js";
import { Refused } from "./retry.js";

const UNREACHABLE = "Plaza cannot be reached right now. Try again in a moment.";

/**
 * @param {object} options
 * @param {HTMLTemplateElement} options.template
 * @param {(productId: string, changes: { price?: number, stock?: number }) => Promise<void>} options.save rejects with `Refused` or `Unavailable`
 */
export const productEditor =
	({ template, save }) =>
	first => {
		const element = template.content.cloneNode(true).firstElementChild;
		const part = name => element.querySelector(`.${name}`);
		const form = element.querySelector("form");
		const { price, stock } = form.elements;
		const problem = element.querySelector("[role=alert]");
		const button = form.querySelector("button");
		let product = first;

		element.dataset.product = product.productId;
		for (const of of element.querySelectorAll(".of")) of.textContent = product.sku;

		/** Fields that the user has edited are not overwritten by events. */
		const edited = new Set();
		for (const field of [price, stock]) field.addEventListener("input", () => edited.add(field));

		function refuse(field, message) {
			field?.setAttribute("aria-invalid", "true");
			field?.focus();
			problem.textContent = message;
			return undefined;
		}

		/** The changed values; undefined if a typed value is not valid. */
		function changes() {
			const [asked, pieces] = [parseAmount(price.value), parseStock(stock.value)];
			if (asked.problem) return refuse(price, asked.problem);
			if (pieces === undefined) return refuse(stock, "Enter a whole number of pieces.");
			return {
				...(edited.has(price) && asked.amount !== product.price && { price: asked.amount }),
				...(edited.has(stock) && pieces !== product.stock && { stock: pieces })
			};
		}

		form.addEventListener("submit", async event => {
			event.preventDefault();
			if (button.getAttribute("aria-disabled") === "true") return;
			problem.textContent = "";
			for (const field of [price, stock]) field.setAttribute("aria-invalid", "false");
			const asked = changes();
			if (!asked) return;
			button.setAttribute("aria-disabled", "true");
			try {
				await save(product.productId, asked);
				edited.clear();
				show(product);
			} catch (error) {
				const [fieldError] = error instanceof Refused ? error.fieldErrors : [];
				refuse(fieldError && form.elements[fieldError.field], error instanceof Refused ? sentence(error.message) : UNREACHABLE);
			} finally {
				button.removeAttribute("aria-disabled");
			}
		});

		function show(now) {
			product = now;
			part("name").textContent = product.name;
			part("price").textContent = formatAmount(product.price);
			part("left").textContent = left(product.stock);
			part("left").dataset.stock = product.stock;
			part("about").textContent = `${product.sku} · ${product.category}`;
			if (!edited.has(price)) price.value = formatAmount(product.price);
			if (!edited.has(stock)) stock.value = product.stock;
		}

		return { element, show };
	};
