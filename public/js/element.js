// Makes elements by hand, where several pages need the same ones.

/**
 * @param {string} tag
 * @param {Record<string, string | boolean>} [attributes] `true` stands there without a value, `false` not at all
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes))
		if (value !== false) element.setAttribute(name, value === true ? "" : value);
	element.append(...children);
	return element;
}

/** Text for screen readers alone. */
export const visuallyHidden = text => make("span", { class: "visually-hidden" }, text);
