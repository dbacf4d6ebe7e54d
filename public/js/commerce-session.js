// The data of one commerce page for one user: orders, products or both, loaded over HTTP and kept up to date by events.

import { openLive } from "./live.js";
import { createLiveList, readList } from "./live-list.js";
import { showConnection } from "./page.js";
import { openRequests } from "./requests.js";
import { throttle } from "./throttle.js";

const FIRST_PAGE = 200;
const NEWEST_EVERY_MS = 2_000;

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {boolean} options.isDashboard the orders of all users, and the events for admins
 * @param {ReturnType<typeof import("./order-store.js").createOrderStore>} [options.orderStore]
 * @param {ReturnType<typeof import("./product-store.js").createProductStore>} [options.productStore]
 * @param {number} [options.productsWanted] how many products are loaded at first; `Infinity`: all
 * @param {(list: "orders" | "products", hasMore: boolean) => void} [options.showMore] whether there are more pages
 * @param {(message: string) => void} options.showProblem
 * @param {() => void} [options.onConnected]
 */
export function openCommerceSession({
	who,
	isDashboard,
	orderStore,
	productStore,
	productsWanted = FIRST_PAGE,
	showMore = () => {},
	showProblem,
	onConnected = () => {}
}) {
	const { once, get, untilDone, close: closeRequests } = openRequests(who);

	/** An admin sees all orders unless the query names a buyer. */
	const ordersPath = isDashboard ? "/api/orders?" : `/api/orders?buyerId=${encodeURIComponent(who.id)}&`;
	const idOfOrder = ({ orderId }) => orderId;
	const idOfProduct = ({ productId }) => productId;

	const orders =
		orderStore &&
		createLiveList({
			read: () => readList(get, ordersPath, idOfOrder, Math.max(FIRST_PAGE, orderStore.list().length)),
			show: ({ items, hasMore }) => {
				orderStore.read(items);
				showMore("orders", hasMore);
			},
			showProblem
		});
	const products =
		productStore &&
		createLiveList({
			read: () => readList(get, "/api/products?", idOfProduct, Math.max(productsWanted, productStore.list().length)),
			show: ({ items, hasMore }) => {
				productStore.read(items);
				showMore("products", hasMore);
			},
			showProblem
		});

	/** Events lack the shipping address, so the newest orders are loaded again. */
	const newest = throttle(NEWEST_EVERY_MS, async () => {
		const { items } = await readList(get, ordersPath, idOfOrder, 1);
		orders.apply(() => orderStore.read(items));
	});

	const prefix = isDashboard ? "admin:" : "";
	const events = {
		...(orderStore && {
			[`${prefix}order:created`]: order => {
				orders.apply(() => orderStore.put(order));
				newest.soon();
			},
			[`${prefix}order:updated`]: ({ orderId, status }) => orders.apply(() => orderStore.step(orderId, status)),
			[`${prefix}order:cancelled`]: ({ orderId }) => orders.apply(() => orderStore.step(orderId, "cancelled"))
		}),
		...(productStore && { [`${prefix}inventory:updated`]: level => products.apply(() => productStore.move(level)) }),
		...(productStore &&
			isDashboard && {
				"admin:product:created": product => products.apply(() => productStore.put(product)),
				// The stock in this event may be old: `inventory:updated` has the current one.
				"admin:product:updated": ({ stock: _, ...product }) => products.apply(() => productStore.change(product)),
				"admin:alert": alert => alert.type === "inventory" && products.apply(() => productStore.low(alert))
			})
	};

	const readAgain = () => {
		void orders?.readAgain();
		void products?.readAgain();
	};
	// Load at once: the page works before the socket is connected.
	readAgain();
	const live = openLive({
		who,
		isDashboard,
		events,
		onConnected: () => {
			showConnection("live", "live");
			readAgain();
			onConnected();
		},
		onLost: () => showConnection("waiting", "reconnecting"),
		onRefused: () => showConnection("refused", "not live")
	});

	return {
		untilDone,
		once,
		/** Apply a response about an order or a product like an event. */
		applyOrder: order => orders.apply(() => orderStore.put(order)),
		applyProduct: product => products.apply(() => productStore.put(product)),
		moreOrders: async () => {
			const { items, hasMore } = await readList(get, ordersPath, idOfOrder, FIRST_PAGE, orderStore.list().at(-1)?.orderId);
			orderStore.readMore(items);
			showMore("orders", hasMore);
		},
		moreProducts: async () => {
			const { items, hasMore } = await readList(
				get,
				"/api/products?",
				idOfProduct,
				FIRST_PAGE,
				productStore.list().at(-1)?.productId
			);
			productStore.readMore(items);
			showMore("products", hasMore);
		},
		close: () => {
			closeRequests();
			orders?.close();
			products?.close();
			live.close();
			return 0;
		}
	};
}
