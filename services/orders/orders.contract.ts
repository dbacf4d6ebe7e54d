// Contract of orders.
import { z } from "zod";
import { action, type OwnError } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { Total } from "../../contract/money.ts";
import { Page } from "../../contract/page.ts";
import { storableText } from "../../contract/text.ts";
import { type Change, lookup, numberIn, topic, type UserRecipient } from "../../contract/topic.ts";
import { checkFields } from "../../mixins/field-errors.ts";
import type { Headers } from "../../mixins/topics/topic-log.ts";

export const dependsOn = ["products", "inventory"] as const;

export const Status = z.enum(["pending", "processing", "shipped", "delivered", "cancelled"]);

const MAX_LINES = 100;
/** Lines of an order that cost as much as a request. */
const LINES_PER_REQUEST = 10;

const Item = z.strictObject({
	productId: Id,
	quantity: z.int().min(1).max(10_000)
});
const OrderItem = Item.extend({ sku: Id, name: z.string(), price: z.number() });

const MAX_ADDRESS_LINES = 10;
const LineName = storableText(64);
const LineText = storableText(200);

/** Checks the lines only if they are few: a body can have two thousand, and zod would check every line of a record before their number. */
function checkLines(address: Record<string, string>, { addIssue }: z.RefinementCtx) {
	const lines = Object.entries(address);
	if (lines.length === 0) return addIssue("must have at least one line");
	if (lines.length > MAX_ADDRESS_LINES) return addIssue(`must have at most ${MAX_ADDRESS_LINES} lines`);
	for (const [name, line] of lines) {
		const refuse = (message: string) => addIssue({ code: "custom", path: [name], message });
		const [nameError] = checkFields(LineName, name).fieldErrors ?? [];
		const [lineError] = checkFields(LineText, line).fieldErrors ?? [];
		if (nameError) refuse(`has a name that is not allowed: it ${nameError.message}`);
		else if (lineError) refuse(lineError.message);
	}
}

/** 1 to 10 short strings, under names that the client chooses. */
export const ShippingAddress = z
	.record(z.string(), z.string())
	.superRefine(checkLines)
	.meta({
		minProperties: 1,
		maxProperties: MAX_ADDRESS_LINES,
		propertyNames: { type: "string", minLength: 1, maxLength: 64 },
		additionalProperties: { type: "string", minLength: 1, maxLength: 200 }
	});

export const Order = z.strictObject({
	orderId: Id,
	buyerId: Id,
	items: z.array(OrderItem),
	total: Total,
	status: Status,
	shippingAddress: ShippingAddress,
	createdAt: z.iso.datetime()
});

const Count = z.int().nonnegative();

/** Each line of an order is priced, reserved, stored and deducted. An order with more than `MAX_LINES` is refused before that. */
function costOf(params: unknown): number {
	const { items } = params as { items?: unknown };
	const lines = Array.isArray(items) ? Math.min(items.length, MAX_LINES) : 0;
	return Math.max(1, Math.ceil(lines / LINES_PER_REQUEST));
}

/** Statistics of all orders. */
export const Statistics = z.strictObject({
	statuses: z.strictObject({ pending: Count, processing: Count, shipped: Count, delivered: Count, cancelled: Count }),
	since: z.iso.datetime(),
	orders: Count.describe("Created since then, and not cancelled"),
	revenue: Total.describe("The total of those orders"),
	minutes: z
		.array(z.strictObject({ at: z.iso.datetime(), orders: Count }))
		.describe("Orders created in each of the last 60 minutes, the oldest first")
});

// Additional fields of foreign producers are kept: they reach the clients with the message.
const message = <Fields extends z.ZodRawShape>(fields: Fields) => z.looseObject({ orderId: Id, ...fields });

export const OrderCreated = message({
	buyerId: Id,
	items: z.array(z.looseObject(OrderItem.shape)),
	total: z.number(),
	status: Status,
	createdAt: z.string()
});
export const OrderUpdated = message({ status: Status, previousStatus: Status, updatedAt: z.string(), buyerId: Id.optional() });
export const OrderCancelled = message({ buyerId: Id, cancelledAt: z.string() });
export const OrderShipped = message({ buyerId: Id, shippedAt: z.string() });
export const OrderDelivered = message({ buyerId: Id, deliveredAt: z.string() });

/** Headers of every message of an order: `seq` numbers the order's changes, `after_ms` is the time since the change before. */
const changeOf = ({ orderId }: { orderId: string }, headers: Headers): Change | undefined => {
	const seq = numberIn(headers.seq);
	return seq === undefined ? undefined : { key: `order:${orderId}`, seq, afterMs: numberIn(headers.after_ms) ?? 0 };
};

const example = {
	orderId: "3d9a4a52-4f0b-4f8e-8a43-6f3ad8a9d1c2",
	buyerId: "acct_0f4ac3a7c1d94d0b8f1f2b3c4d5e6f70",
	items: [{ productId: "6f1e1d2c-6c0f-4f2d-9a55-0d9e6c1f7b11", quantity: 3, sku: "OIL-1", name: "Olive oil", price: 12.5 }],
	total: 37.5,
	status: "pending" as const,
	shippingAddress: { street: "1 Main Street", city: "Athens" },
	createdAt: "2026-01-31T12:00:00.000Z"
};
const byID = z.strictObject({ id: Id });
const exampleRequest = {
	items: [{ productId: example.items[0]!.productId, quantity: 3 }],
	shippingAddress: example.shippingAddress
};

export const ERRORS = {
	OUT_OF_STOCK: { type: "OUT_OF_STOCK", status: 409, when: "less of `data.productId` is in stock than the order needs" },
	BAD_TRANSITION: { type: "BAD_TRANSITION", status: 409, when: "an order cannot change from `data.from` to `data.to`" }
} satisfies Record<string, OwnError>;

export const actions = {
	/**
	 * Answers after the stock is reserved and the order is committed together with its message for `order.created`. With an idempotency key, which
	 * belongs to the buyer, a repeated request gets the same answer and orders nothing. Errors: 409 `OUT_OF_STOCK` (`data.productId`), `NOT_FOUND` (a
	 * product does not exist), `CONFLICT` (the key belongs to another order), `UNAVAILABLE`.
	 */
	"orders.create": action({
		summary: "Places an order: prices, total and buyer come from the server",
		// Other fields (a price, a total, a buyer) are ignored: the client does not decide them.
		params: z.object({
			items: z
				.array(z.object(Item.shape))
				.min(1, "must have at least one line")
				.max(MAX_LINES, `must have at most ${MAX_LINES} lines`),
			shippingAddress: ShippingAddress,
			idempotencyKey: Id.optional()
		}),
		result: Order,
		errors: ["NOT_FOUND", "CONFLICT", ERRORS.OUT_OF_STOCK],
		example: { params: exampleRequest, result: example },
		who: "account",
		rest: "POST /api/orders",
		restHeaders: { "idempotency-key": "idempotencyKey" },
		status: 201,
		cost: costOf
	}),
	/** A repeated status changes nothing. Errors: `NOT_FOUND`, 409 `BAD_TRANSITION`, `UNAVAILABLE`. */
	"orders.setStatus": action({
		summary: "Sets the status of an order",
		params: z.strictObject({ id: Id, status: Status }),
		result: Order,
		errors: ["NOT_FOUND", ERRORS.BAD_TRANSITION],
		example: { params: { id: example.orderId, status: "processing" }, result: { ...example, status: "processing" } },
		who: "admin",
		rest: "PATCH /api/orders/:id/status"
	}),
	/** A second cancel changes nothing. Errors: `NOT_FOUND` (also for another buyer's order), 409 `BAD_TRANSITION`, `UNAVAILABLE`. */
	"orders.cancel": action({
		summary: "Cancels an order that is not shipped yet; allowed to its buyer and to admins",
		params: byID,
		result: Order,
		errors: ["NOT_FOUND", ERRORS.BAD_TRANSITION],
		example: { params: { id: example.orderId }, result: { ...example, status: "cancelled" } },
		who: "account",
		rest: "POST /api/orders/:id/cancel"
	}),
	"orders.list": action({
		summary: "Lists the caller's orders, the newest first; an admin sees all, or those of one buyer",
		params: Page.extend({ buyerId: Id.optional() }),
		result: z.array(Order),
		example: { params: {}, result: [example] },
		who: "account",
		rest: "GET /api/orders"
	}),
	"orders.get": action({
		summary: "Returns an order of the caller; an admin sees all",
		params: byID,
		result: Order,
		errors: ["NOT_FOUND"],
		example: { params: { id: example.orderId }, result: example },
		who: "account",
		rest: "GET /api/orders/:id"
	}),
	"orders.figures": action({
		summary:
			"Statistics of all orders: how many are in each status, and what was ordered since a time, by default the start of the day in UTC",
		params: z.strictObject({ since: z.iso.datetime({ offset: true }).optional() }),
		result: Statistics,
		example: {
			params: { since: "2026-01-31T00:00:00.000Z" },
			result: {
				statuses: { pending: 1, processing: 2, shipped: 0, delivered: 4, cancelled: 1 },
				since: "2026-01-31T00:00:00.000Z",
				orders: 3,
				revenue: 112.5,
				minutes: [{ at: "2026-01-31T12:00:00.000Z", orders: 1 }]
			}
		},
		who: "admin",
		// Not below /api/orders: there the last part is an order's id.
		rest: "GET /api/order-figures"
	}),
	/** An order as it is stored, for consumers of a message without a valid proof that this service published it. Errors: `NOT_FOUND`, `UNAVAILABLE`. */
	"orders.stored": action({
		params: z.strictObject({ orderId: Id }),
		result: Order.pick({ buyerId: true, total: true, status: true })
	}),
	/** The buyer of an order, for messages of foreign producers that lack it. Errors: `NOT_FOUND`, `UNAVAILABLE`. */
	"orders.buyer": action({ params: z.strictObject({ orderId: Id }), result: z.strictObject({ buyerId: Id }) })
};

/** The order's buyer; a foreign record may lack it. */
const buyer: UserRecipient<{ orderId: string; buyerId?: string }> = {
	user: ({ buyerId }) => buyerId,
	lookup: lookup(actions, "orders.buyer", { params: ({ orderId }) => ({ orderId }), id: ({ buyerId }) => buyerId })
};
const shared = { key: ({ orderId }: { orderId: string }) => orderId, change: changeOf, subscription: "orders" };

export const topics = {
	"order.created": topic({
		...shared,
		message: OrderCreated,
		deliveries: [
			{ to: buyer, event: "order:created" },
			{ to: "admins", event: "admin:order:created" }
		]
	}),
	"order.updated": topic({
		...shared,
		message: OrderUpdated,
		deliveries: [
			{ to: buyer, event: "order:updated" },
			{ to: "admins", event: "admin:order:updated" }
		]
	}),
	"order.cancelled": topic({
		...shared,
		message: OrderCancelled,
		deliveries: [
			{ to: buyer, event: "order:cancelled" },
			{ to: "admins", event: "admin:order:cancelled" }
		]
	}),
	"order.shipped": topic({
		...shared,
		message: OrderShipped,
		deliveries: [
			{ to: buyer, event: "order:shipped" },
			{ to: "admins", orderOnly: true }
		]
	}),
	"order.delivered": topic({
		...shared,
		message: OrderDelivered,
		deliveries: [
			{ to: buyer, event: "order:delivered" },
			{ to: "admins", orderOnly: true }
		]
	})
};

/** Options of the outbox that publishes orders: its records carry a proof (mixins/outbox/proof.ts). */
export const ordersOutbox = { proves: ["seq", "after_ms"] };

export type Order = z.output<typeof Order>;
export type Statistics = z.output<typeof Statistics>;
export type Status = z.output<typeof Status>;
