// The state machine of an order, as data: its transitions, who may cause each, and the messages that each publishes.
import { Errors } from "moleculer";
import { forbidden } from "../../mixins/errors.ts";
import type { Status, topics } from "./orders.contract.ts";

/** `system`: a failed payment or an expired order. */
export type Actor = "buyer" | "admin" | "system";
export type OrderTopic = keyof typeof topics;

export interface Transition {
	from: Status;
	to: Status;
	by: readonly Actor[];
	publishes: readonly OrderTopic[];
}

/** The status of a new order, and the messages of its creation. */
export const INITIAL = { status: "pending", publishes: ["order.created"] } as const satisfies {
	status: Status;
	publishes: OrderTopic[];
};

const anyone = ["buyer", "admin", "system"] as const;

export const TRANSITIONS: readonly Transition[] = [
	{ from: "pending", to: "processing", by: ["admin"], publishes: ["order.updated"] },
	{ from: "processing", to: "shipped", by: ["admin"], publishes: ["order.updated", "order.shipped"] },
	{ from: "shipped", to: "delivered", by: ["admin"], publishes: ["order.updated", "order.delivered"] },
	{ from: "pending", to: "cancelled", by: anyone, publishes: ["order.cancelled"] },
	{ from: "processing", to: "cancelled", by: anyone, publishes: ["order.cancelled"] }
];

/** The transition from one status to another; `unchanged` if both are the same; or a refusal: 409 `BAD_TRANSITION`, 403 `FORBIDDEN`. */
export function decideTransition(from: Status, to: Status, actor: Actor): Transition | "unchanged" | Error {
	if (from === to) return "unchanged";
	const transition = TRANSITIONS.find(one => one.from === from && one.to === to);
	if (!transition)
		return new Errors.MoleculerClientError(`An order that is ${from} cannot become ${to}`, 409, "BAD_TRANSITION", { from, to });
	return transition.by.includes(actor) ? transition : forbidden("You may not set this status");
}

/** The transitions to a status that this actor may cause. */
export const transitionsTo = (to: Status, actor: Actor): Transition[] =>
	TRANSITIONS.filter(transition => transition.to === to && transition.by.includes(actor));
