// The life of an order, as data: which steps there are, who may take them, and what the world is told of each.
import { Errors } from "moleculer";
import { forbidden } from "../../mixins/errors.ts";
import type { Status, topics } from "./orders.contract.ts";

/** `system`: a payment that failed, or a time that has passed. */
export type Actor = "buyer" | "admin" | "system";
export type OrderTopic = keyof typeof topics;

export interface Transition {
	from: Status;
	to: Status;
	by: readonly Actor[];
	publishes: readonly OrderTopic[];
}

/** How an order begins. */
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

/** What becomes of an order that is asked to be `to`: a step, nothing where it is that already, or a refusal: 409 `BAD_TRANSITION`, 403 `FORBIDDEN`. */
export function decideTransition(from: Status, to: Status, asker: Actor): Transition | "nothing" | Error {
	if (from === to) return "nothing";
	const step = TRANSITIONS.find(one => one.from === from && one.to === to);
	if (!step)
		return new Errors.MoleculerClientError(`An order that is ${from} cannot become ${to}`, 409, "BAD_TRANSITION", { from, to });
	return step.by.includes(asker) ? step : forbidden("This step is not yours to take");
}

/** From where this asker may take an order there. */
export const transitionsTo = (to: Status, asker: Actor): Transition[] =>
	TRANSITIONS.filter(step => step.to === to && step.by.includes(asker));
