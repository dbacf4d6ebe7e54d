// Creates elements that several pages need.

/**
 * @param {string} tag
 * @param {Record<string, string | boolean>} [attributes] `true`: an attribute without a value; `false`: left out
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes))
		if (value !== false) element.setAttribute(name, value === true ? "" : value);
	element.append(...children);
	return element;
}

/** Text for screen readers only. */
export const visuallyHidden = text => make("span", { class: "visually-hidden" }, text);
