// Rows of a list, keyed by item id: a row that stays keeps its element and the focus.

/**
 * @template Item
 * @param {object} options
 * @param {HTMLElement} options.list
 * @param {(item: Item) => string} options.idOf
 * @param {(item: Item) => { element: HTMLElement, show: (item: Item) => void }} options.make
 * @returns {(items: Item[]) => void} renders these items in this order
 */
export function createRows({ list, idOf, make }) {
	let rows = new Map();

	return items => {
		const before = rows;
		rows = new Map(items.map(item => [idOf(item), before.get(idOf(item)) ?? make(item)]));
		for (const [id, { element }] of before) if (!rows.has(id)) element.remove();
		let next = list.firstElementChild;
		for (const item of items) {
			const { element, show } = rows.get(idOf(item));
			show(item);
			if (element === next) next = next.nextElementSibling;
			else list.insertBefore(element, next);
		}
	};
}
