// Contract of inventory: the stock of each product, and the part of it that is reserved for accepted orders.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { numberIn, topic } from "../../contract/topic.ts";

const Quantity = z.int().min(1).max(10_000);
const Stock = z.int().nonnegative().max(1_000_000_000);

/** `0 <= reserved <= stock`; the difference can be bought. */
export const StockLevel = z.strictObject({ productId: Id, sku: Id, stock: Stock, reserved: Stock });
export const Line = z.strictObject({ productId: Id, quantity: Quantity });

/** Below this stock, admins get an alert. */
const LOW_STOCK = 10;

export const InventoryUpdated = z.looseObject({ productId: Id, stock: z.int(), previousStock: z.int(), sku: Id });

/** The sums of the movement ledger over all products, beside the sums of the stored levels. */
export const Equation = z.strictObject({
	products: z.int(),
	/** Everything that was ever added to stock. */
	putIn: z.int(),
	sold: z.int(),
	returned: z.int(),
	stock: z.int(),
	reserved: z.int(),
	/** Products that break `stock + sold - returned = putIn` or `0 <= reserved <= stock`: empty, unless there is a bug. */
	broken: z.array(Id)
});

/** Why nothing is reserved for an order. `CONFLICT`: it has reserved other lines, or its reservation was released. */
export const Refusal = z.discriminatedUnion("type", [
	z.strictObject({ type: z.literal("OUT_OF_STOCK"), productId: Id, requested: z.int(), available: z.int() }),
	z.strictObject({ type: z.literal("CONFLICT") })
]);

/** The most orders of one call. */
const MAX_ORDERS = 500;
const orderIds = z.strictObject({ orderIds: z.array(Id).max(MAX_ORDERS) });

const example = { productId: "6f1e1d2c-6c0f-4f2d-9a55-0d9e6c1f7b11", sku: "OIL-1", stock: 12, reserved: 3 };

export const actions = {
	"inventory.get": action({
		summary: "Returns the stock of a product, and how much of it is reserved",
		params: z.strictObject({ productId: Id }),
		result: StockLevel,
		errors: ["NOT_FOUND"],
		example: { params: { productId: example.productId }, result: example },
		who: "anyone",
		rest: "GET /api/inventory/:productId"
	}),
	"inventory.set": action({
		summary: "Sets the stock of a product; it cannot be less than what is reserved",
		params: z.strictObject({ productId: Id, stock: Stock }),
		result: StockLevel,
		errors: ["NOT_FOUND", "CONFLICT"],
		example: { params: { productId: example.productId, stock: 20 }, result: { ...example, stock: 20 } },
		who: "admin",
		rest: "PATCH /api/inventory/:productId"
	}),
	"inventory.equation": action({
		summary: "Adds up the movement ledger: stock + sold - returned = putIn",
		params: z.strictObject({}),
		result: Equation,
		example: { params: {}, result: { products: 1, putIn: 12, sold: 3, returned: 0, stock: 9, reserved: 0, broken: [] } },
		who: "admin",
		rest: "GET /api/inventory"
	}),
	/** Adds a product with its first stock; an existing one stays unchanged. Errors: `UNAVAILABLE`. */
	"inventory.open": action({ params: z.strictObject({ productId: Id, sku: Id, stock: Stock }), result: z.null() }),
	/** The levels of these products, in the same order; 0 for unknown products. Errors: `UNAVAILABLE`. */
	"inventory.levels": action({
		params: z.strictObject({ ids: z.array(Id).max(200) }),
		result: z.array(StockLevel.omit({ sku: true }))
	}),
	/**
	 * Reserves all lines of an order or none; the same order with the same lines again reserves nothing more. Lines of one product are added up.
	 * Decides the orders of one call one after the other, and answers each, in order: null, or the refusal. An order refused for stock
	 * may try again later. Errors: `UNAVAILABLE`, for all of them.
	 */
	"inventory.reserve": action({
		params: z.strictObject({
			orders: z
				.array(z.strictObject({ orderId: Id, lines: z.array(Line).min(1).max(100) }))
				.min(1)
				.max(128)
		}),
		result: z.array(Refusal.nullable())
	}),
	/** The ids of orders whose reservation is older than this, and neither confirmed nor released: the oldest first. Errors: `UNAVAILABLE`. */
	"inventory.listPending": action({
		params: z.strictObject({ olderThanMs: z.int().nonnegative(), limit: z.int().min(1).max(MAX_ORDERS) }),
		result: z.array(Id)
	}),
	/**
	 * Deducts from stock what these orders have reserved, as the consumer of `order.created` does: once, whichever comes first. Returns the orders
	 * for which this call deducted something. Errors: `UNAVAILABLE`.
	 */
	"inventory.confirm": action({ params: orderIds, result: z.array(Id) }),
	/**
	 * Returns to stock what these orders have reserved or bought, once; from then on they can reserve nothing. Returns the orders whose reservation
	 * this call released. Errors: `UNAVAILABLE`.
	 */
	"inventory.release": action({ params: orderIds, result: z.array(Id) })
};

export const topics = {
	// Header `version`: the number of this change of the product's stock.
	"inventory.updated": topic({
		message: InventoryUpdated,
		key: level => level.productId,
		change: ({ productId }, { version }) => {
			const seq = numberIn(version);
			return seq === undefined ? undefined : { key: `stock:${productId}`, seq };
		},
		subscription: "inventory",
		deliveries: [
			{ to: "everyone", event: "inventory:updated" },
			{ to: "admins", event: "admin:inventory:updated" },
			{
				to: "admins",
				event: "admin:alert",
				payload: ({ productId, sku, stock }) =>
					stock < LOW_STOCK
						? { type: "inventory", severity: "warning", message: "Low stock alert", productId, sku, stock }
						: undefined
			}
		]
	})
};

export type StockLevel = z.output<typeof StockLevel>;
export type Refusal = z.output<typeof Refusal>;
export type Line = z.output<typeof Line>;
