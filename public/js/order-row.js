// One order in a list, with its buttons.
import { formatAmount } from "./amount.js";
import { mayBeCancelled, nextOf } from "./order-store.js";
import { Refused } from "./retry.js";

const UNREACHABLE = "Plaza cannot be reached right now. Try again in a moment.";

const linesOf = items => items.map(({ quantity, name }) => `${quantity} × ${name}`).join(", ");

/**
 * @param {object} options
 * @param {HTMLTemplateElement} options.template
 * @param {boolean} options.isAdmin whether to offer the next status
 * @param {(order: object, status: string) => Promise<void>} options.changeStatus changes the status of the order
 */
export const orderRow =
	({ template, isAdmin, changeStatus }) =>
	first => {
		const element = template.content.cloneNode(true).firstElementChild;
		const part = name => element.querySelector(`.${name}`);
		const problem = element.querySelector("[role=alert]");
		const actions = part("actions");
		let order = first;

		element.dataset.order = order.orderId;
		part("id").textContent = `#${order.orderId}`;
		part("items").textContent = linesOf(order.items);
		part("total").textContent = formatAmount(order.total);

		function button(className, statusOf) {
			const made = document.createElement("button");
			const [label, of] = [document.createElement("span"), document.createElement("span")];
			made.type = "button";
			made.className = className;
			of.className = "visually-hidden";
			of.textContent = ` order #${order.orderId}`;
			made.append(label, of);
			made.addEventListener("click", () => void press(made, statusOf()));
			actions.append(made);
			return { made, label };
		}
		const next = isAdmin && button("next", () => nextOf(order.status));
		const cancel = button("plain cancel", () => "cancelled");
		cancel.label.textContent = "Cancel Order";

		/** Uses `aria-disabled`: `disabled` would remove the focus. */
		async function press(made, status) {
			if (status === undefined || made.getAttribute("aria-disabled") === "true") return;
			made.setAttribute("aria-disabled", "true");
			problem.textContent = "";
			try {
				await changeStatus(order, status);
			} catch (error) {
				problem.textContent = error instanceof Refused ? error.message : UNREACHABLE;
			} finally {
				made.removeAttribute("aria-disabled");
			}
		}

		function offer({ made }, isOffered) {
			// When the pressed button disappears the focus moves to its order.
			if (!isOffered && document.activeElement === made) element.focus();
			made.hidden = !isOffered;
		}

		return {
			element,
			show: now => {
				order = now;
				const { status, createdAt, buyerId, shippingAddress } = order;
				element.dataset.status = status;
				part("status").textContent = status;
				const about = [
					new Date(createdAt).toLocaleString(),
					...(isAdmin ? [`by ${buyerId}`] : []),
					...(shippingAddress ? [`to ${Object.values(shippingAddress).join(", ")}`] : [])
				];
				part("about").textContent = about.join(" · ");
				if (next) {
					next.label.textContent = `Mark as ${nextOf(status)}`;
					offer(next, nextOf(status) !== undefined);
				}
				offer(cancel, mayBeCancelled(status));
			}
		};
	};
