// The products that a page knows of, with what is left of each. A product is new once, and each time that little is left of it is told once.

/** Below this admins are warned: inventory's contract says so too. */
export const LOW_STOCK = 10;

/**
 * @param {object} options
 * @param {(product: object) => void} [options.onNew]
 * @param {(product: { productId: string, sku: string, stock: number }) => void} [options.onLow]
 * @param {() => void} options.onChange once for all of that
 */
export function createProductStore({ onNew = () => {}, onLow = () => {}, onChange }) {
	const products = new Map();
	/** What was left when it was told last. */
	const alertedStock = new Map();
	let isRead = false;

	function alertLow({ productId, sku, stock }) {
		if (alertedStock.get(productId) === stock) return;
		alertedStock.set(productId, stock);
		onLow({ productId, sku, stock });
	}

	function put(product, isNews) {
		const { productId, stock } = product;
		const known = products.get(productId);
		products.set(productId, { ...known, ...product });
		if (stock >= LOW_STOCK) alertedStock.delete(productId);
		if (!known && isNews) onNew(product);
		if (known && known.stock !== stock && stock < LOW_STOCK) alertLow(products.get(productId));
	}

	return {
		/** In the order in which they were made. */
		list: () => [...products.values()],
		/** What was read from the first on. From the second time on what is not known yet is news. */
		read: all => {
			for (const product of all) put(product, isRead);
			isRead = true;
			onChange();
		},
		readMore: later => {
			for (const product of later) put(product, false);
			onChange();
		},
		/** A product as somebody told it: an event, or an answer. */
		put: product => {
			put(product, true);
			onChange();
		},
		/** Something else of it has changed. */
		change: product => {
			if (products.has(product.productId)) Object.assign(products.get(product.productId), product);
			onChange();
		},
		/** So many are left. Of a product that was never read nothing can be shown. */
		move: ({ productId, stock }) => {
			const known = products.get(productId);
			if (!known) return;
			known.stock = stock;
			if (stock >= LOW_STOCK) alertedStock.delete(productId);
			onChange();
		},
		/** An alert came for it. */
		low: alertLow
	};
}
