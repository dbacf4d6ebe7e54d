// The products that a page has loaded, with their stock. `onNew` is called once for each product, `onLow` once for each low stock level.

/** Below this admins are warned: the same number as in inventory's contract. */
export const LOW_STOCK = 10;

/**
 * @param {object} options
 * @param {(product: object) => void} [options.onNew]
 * @param {(product: { productId: string, sku: string, stock: number }) => void} [options.onLow]
 * @param {() => void} options.onChange once after all changes of one call
 */
export function createProductStore({ onNew = () => {}, onLow = () => {}, onChange }) {
	const products = new Map();
	/** The stock of the last alert for each product. */
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
		/** In the order of creation. */
		list: () => [...products.values()],
		/** Applies a list that starts at the first product. From the second list on, an unknown product is a new one. */
		read: all => {
			for (const product of all) put(product, isRead);
			isRead = true;
			onChange();
		},
		readMore: later => {
			for (const product of later) put(product, false);
			onChange();
		},
		/** Applies one product from an event or a response. */
		put: product => {
			put(product, true);
			onChange();
		},
		/** Applies a change of other fields than the stock. */
		change: product => {
			if (products.has(product.productId)) Object.assign(products.get(product.productId), product);
			onChange();
		},
		/** Applies a stock level. A product that was never loaded is ignored. */
		move: ({ productId, stock }) => {
			const known = products.get(productId);
			if (!known) return;
			known.stock = stock;
			if (stock >= LOW_STOCK) alertedStock.delete(productId);
			onChange();
		},
		/** Applies an alert. */
		low: alertLow
	};
}
