// Creates elements that several pages need.

/**
 * @param {string} tag
 * @param {Record<string, string | boolean>} [attributes] `true`: an attribute without a value; `false`: left out
 * @param {...(Node | string)} children
 */
export const make = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** The same for the elements of a drawing. */
export const makeSvg = (tag, attributes = {}, ...children) =>
	filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function filled(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes))
		if (value !== false) element.setAttribute(name, value === true ? "" : value);
	element.append(...children);
	return element;
}

/** Text for screen readers only. */
export const visuallyHidden = text => make("span", { class: "visually-hidden" }, text);
