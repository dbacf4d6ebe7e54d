// Contract of purchases.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { Amount } from "../../contract/money.ts";
import { topic } from "../../contract/topic.ts";

export const PurchaseRequest = z
	.strictObject({ id: Id.optional(), user_id: Id, amount: Amount })
	.describe("Buy. With an `id` a retry is safe: the same user and id again gets the same answer and buys nothing.");

export const Purchase = z.strictObject({ id: Id, user_id: Id, amount: Amount }).meta({ id: "Purchase" });

export const UserPurchase = z.object({ id: Id.optional(), user_id: Id, amount: Amount, created_at: z.string().optional() });

export const PurchaseTotal = z.strictObject({
	/** The number of the user's purchases: the version of the total. */
	seq: z.int().nonnegative(),
	total_cents: z.int().nonnegative()
});

const example = { id: "5b4a9ab4-7e0c-4f31-9a2c-0b7f0d2e8d5e", user_id: "123", amount: 49.99 };

export const actions = {
	/** Commits the purchase together with its message for `user_purchase`. `CONFLICT`: the same id with another amount. */
	"purchase.create": action({
		summary: "Buys: the purchase is committed in Postgres before the answer, and a retry with the same id buys nothing",
		params: PurchaseRequest,
		result: Purchase,
		errors: ["CONFLICT"],
		example: { params: example, result: example },
		who: "owner",
		rest: "POST /api/purchases",
		status: 201,
		restHeaders: { "idempotency-key": "id" },
		replyCode: "purchase",
		actor: request => request.user_id
	}),
	/**
	 * Records a purchase that was made elsewhere like one that was made here; `created_at` is kept if it is an ISO 8601 time.
	 * `recorded` is false if it is known already. Errors: `VALIDATION_ERROR`, `CONFLICT` (same id, other amount), `UNAVAILABLE`.
	 */
	"purchase.record": action({
		params: z.strictObject({ id: Id, user_id: Id, amount: Amount, created_at: z.string().optional() }),
		result: z.strictObject({ recorded: z.boolean() })
	}),
	/** The total of a user's purchases in Postgres; seq 0 for a user without purchases. Errors: `UNAVAILABLE`. */
	"purchase.total": action({ params: z.strictObject({ user_id: Id }), result: PurchaseTotal })
};

export const topics = {
	// Keyed by user: a user's purchases arrive in the order of their sequence numbers. The headers `seq` and `total_cents` (the running total) are on
	// every purchase that this service recorded, and the header `proof` proves them: without a valid proof any producer may have written them.
	user_purchase: topic({ message: UserPurchase, key: purchase => purchase.user_id })
};

/** Options of the outbox that publishes purchases: its records carry a proof (mixins/outbox/proof.ts). */
export const purchaseOutbox = { table: "outbox", proves: ["seq", "total_cents"] };

export type PurchaseRequest = z.output<typeof PurchaseRequest>;
export type Purchase = z.output<typeof Purchase>;
export type PurchaseTotal = z.output<typeof PurchaseTotal>;
