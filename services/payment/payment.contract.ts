// Contract of payments: at most one charge and one refund an order.
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { Id } from "../../contract/id.ts";
import { Total } from "../../contract/money.ts";
import { topic } from "../../contract/topic.ts";

export const dependsOn = ["orders"] as const;

/** `cancelled`: the order was cancelled before anything was charged. */
export const PaymentStatus = z.enum(["pending", "succeeded", "failed", "refunded", "cancelled"]);
export const Payment = z.strictObject({ orderId: Id, amount: Total, status: PaymentStatus });

export const PaymentMessage = z.object({ orderId: Id, buyerId: Id, amount: z.number() });

const example = { orderId: "3d9a4a52-4f0b-4f8e-8a43-6f3ad8a9d1c2", amount: 37.5, status: "succeeded" as const };

export const actions = {
	/** Errors: `NOT_FOUND` (also for another buyer's order), `UNAVAILABLE`. */
	"payments.get": action({
		summary: "Returns the payment of an order; allowed to its buyer and to admins",
		params: z.strictObject({ orderId: Id }),
		result: Payment,
		errors: ["NOT_FOUND"],
		example: { params: { orderId: example.orderId }, result: example },
		who: "account",
		rest: "GET /api/payments/:orderId"
	})
};

export const topics = {
	"payment.succeeded": topic({ message: PaymentMessage, key: payment => payment.orderId }),
	"payment.failed": topic({ message: PaymentMessage, key: payment => payment.orderId })
};

export type Payment = z.output<typeof Payment>;
