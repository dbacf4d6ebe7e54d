// All that the rest of the system may know about stock: what lies on the shelf, and the part of it that accepted orders wait for.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { numberIn, topic } from "../../contract/topic.ts";

// To ask what became of an order that has reserved something.
export const dependsOn = ["orders"] as const;

const Quantity = z.int("must be a whole number").min(1, "must be at least 1").max(10_000, "must be at most 10000");
const Stock = z.int("must be a whole number").nonnegative("must not be negative").max(1_000_000_000);

/** `0 <= reserved <= stock`; what can be bought is the difference. */
export const StockLevel = z.strictObject({ productId: Id, sku: Id, stock: Stock, reserved: Stock });
export const Line = z.strictObject({ productId: Id, quantity: Quantity });

/** Below this the admins are told. */
const LOW_STOCK = 10;

export const InventoryUpdated = z.looseObject({ productId: Id, stock: z.int(), previousStock: z.int(), sku: Id });

/** What the ledger of movements adds up to, over all products, beside what the shelves say. */
export const Equation = z.strictObject({
	products: z.int(),
	/** All that was ever put in. */
	putIn: z.int(),
	sold: z.int(),
	returned: z.int(),
	stock: z.int(),
	reserved: z.int(),
	/** Products for which stock + sold - returned = put in, or 0 <= reserved <= stock, does not hold. None, unless something is broken. */
	broken: z.array(Id)
});

/** Why nothing is reserved for an order. `CONFLICT`: it has reserved other lines, or what it had reserved was given back. */
export const Refusal = z.discriminatedUnion("type", [
	z.strictObject({ type: z.literal("OUT_OF_STOCK"), productId: Id, requested: z.int(), available: z.int() }),
	z.strictObject({ type: z.literal("CONFLICT") })
]);

const example = { productId: "6f1e1d2c-6c0f-4f2d-9a55-0d9e6c1f7b11", sku: "OIL-1", stock: 12, reserved: 3 };

export const actions = {
	"inventory.get": action({
		summary: "Answers what lies on the shelf, and how much of it is reserved",
		params: z.strictObject({ productId: Id }),
		result: StockLevel,
		errors: ["NOT_FOUND"],
		example: { params: { productId: example.productId }, result: example },
		who: "anyone",
		rest: "GET /api/inventory/:productId"
	}),
	"inventory.set": action({
		summary: "Sets what lies on the shelf; it cannot be less than what is reserved",
		params: z.strictObject({ productId: Id, stock: Stock }),
		result: StockLevel,
		errors: ["NOT_FOUND", "CONFLICT"],
		example: { params: { productId: example.productId, stock: 20 }, result: { ...example, stock: 20 } },
		who: "admin",
		rest: "PATCH /api/inventory/:productId"
	}),
	"inventory.equation": action({
		summary: "Adds up the ledger: stock + sold - returned = put in",
		params: z.strictObject({}),
		result: Equation,
		example: { params: {}, result: { products: 1, putIn: 12, sold: 3, returned: 0, stock: 9, reserved: 0, broken: [] } },
		who: "admin",
		rest: "GET /api/inventory"
	}),
	/** Takes a new product in with its first stock; again with the same id changes nothing. Errors: `UNAVAILABLE`. */
	"inventory.open": action({ params: z.strictObject({ productId: Id, sku: Id, stock: Stock }), result: z.null() }),
	/** The levels of these products, in this order; 0 for those that are not known here. Errors: `UNAVAILABLE`. */
	"inventory.levels": action({
		params: z.strictObject({ ids: z.array(Id).max(200) }),
		result: z.array(StockLevel.omit({ sku: true }))
	}),
	/**
	 * Reserves all lines of an order or none; again for the same order answers the same and reserves nothing more. Lines of one product are added up.
	 * Takes orders that come together in one call, decides them one after the other, and answers each, in order: null, or why nothing is reserved for it; who
	 * was out of stock may try again later. Errors: `UNAVAILABLE`, for all of them.
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
	/** Gives back what an order that came to nothing has reserved; what it may still ask for it will not get. Errors: `UNAVAILABLE`. */
	"inventory.release": action({ params: z.strictObject({ orderId: Id }), result: z.null() })
};

export const topics = {
	// Header `version`: the number of this change among those of the product's shelf.
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
