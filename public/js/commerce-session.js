// What a page of the market knows and is told, for one visit: orders, products, or both, read over HTTP and kept up to date by events.

import { request } from "./http.js";
import { withToken } from "./identity.js";
import { openLive } from "./live.js";
import { createLiveList, readList } from "./live-list.js";
import { showConnection } from "./page.js";
import { untilAnswered } from "./retry.js";
import { throttle } from "./throttle.js";

const FIRST_PAGE = 200;
const NEWEST_EVERY_MS = 2_000;

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {boolean} options.isDashboard everybody's orders, and the events of admins
 * @param {ReturnType<typeof import("./order-store.js").createOrderStore>} [options.book]
 * @param {ReturnType<typeof import("./product-store.js").createProductStore>} [options.shelf]
 * @param {number} [options.productsWanted] how many products are read at first; `Infinity`: all
 * @param {(list: "orders" | "products", hasMore: boolean) => void} [options.showMore] whether there is more to be read
 * @param {(message: string) => void} options.showProblem
 * @param {() => void} [options.onConnected]
 */
export function openCommerceSession({
	who,
	isDashboard,
	book,
	shelf,
	productsWanted = FIRST_PAGE,
	showMore = () => {},
	showProblem,
	onConnected = () => {}
}) {
	const closing = new AbortController();
	const once = async (method, path, options) => {
		const answer = await withToken(who, token => request(method, path, { ...options, token }));
		closing.signal.throwIfAborted();
		return answer;
	};
	const get = path => once("GET", path);
	const untilDone = (method, path, options) => untilAnswered(() => once(method, path, options), closing.signal);

	/** Of an admin's own list the server must be told whose orders are meant. */
	const ordersPath = isDashboard ? "/api/orders?" : `/api/orders?buyerId=${encodeURIComponent(who.id)}&`;
	const idOfOrder = ({ orderId }) => orderId;
	const idOfProduct = ({ productId }) => productId;

	const orders =
		book &&
		createLiveList({
			read: () => readList(get, ordersPath, idOfOrder, Math.max(FIRST_PAGE, book.list().length)),
			show: ({ items, hasMore }) => {
				book.read(items);
				showMore("orders", hasMore);
			},
			showProblem
		});
	const products =
		shelf &&
		createLiveList({
			read: () => readList(get, "/api/products?", idOfProduct, Math.max(productsWanted, shelf.list().length)),
			show: ({ items, hasMore }) => {
				shelf.read(items);
				showMore("products", hasMore);
			},
			showProblem
		});

	/** Events do not say where an order is to be sent. */
	const newest = throttle(NEWEST_EVERY_MS, async () => {
		const { items } = await readList(get, ordersPath, idOfOrder, 1);
		orders.tell(() => book.read(items));
	});

	const prefix = isDashboard ? "admin:" : "";
	const events = {
		...(book && {
			[`${prefix}order:created`]: order => {
				orders.tell(() => book.put(order));
				newest.soon();
			},
			[`${prefix}order:updated`]: ({ orderId, status }) => orders.tell(() => book.step(orderId, status)),
			[`${prefix}order:cancelled`]: ({ orderId }) => orders.tell(() => book.step(orderId, "cancelled"))
		}),
		...(shelf && { [`${prefix}inventory:updated`]: level => products.tell(() => shelf.move(level)) }),
		...(shelf &&
			isDashboard && {
				"admin:product:created": product => products.tell(() => shelf.put(product)),
				// What is left it knows from hearsay: that is told by inventory.
				"admin:product:updated": ({ stock: _, ...product }) => products.tell(() => shelf.change(product)),
				"admin:alert": alert => alert.type === "inventory" && products.tell(() => shelf.low(alert))
			})
	};

	const readAgain = () => {
		void orders?.readAgain();
		void products?.readAgain();
	};
	// Of use without a connection, too, and before there is one.
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
		/** Until it is answered; rejects with `Refused`. Only for what may be asked for twice. */
		untilDone,
		/** Once; rejects with `Refused` or `Unavailable`. */
		once,
		/** An answer about an order, and one about a product, are news like events. */
		tellOrder: order => orders.tell(() => book.put(order)),
		tellProduct: product => products.tell(() => shelf.put(product)),
		moreOrders: async () => {
			const { items, hasMore } = await readList(get, ordersPath, idOfOrder, FIRST_PAGE, book.list().at(-1)?.orderId);
			book.readMore(items);
			showMore("orders", hasMore);
		},
		moreProducts: async () => {
			const { items, hasMore } = await readList(get, "/api/products?", idOfProduct, FIRST_PAGE, shelf.list().at(-1)?.productId);
			shelf.readMore(items);
			showMore("products", hasMore);
		},
		close: () => {
			closing.abort();
			orders?.close();
			products?.close();
			live.close();
			return 0;
		}
	};
}
