// The state machine of a payment, as data, and the messages that it publishes. Without I/O or a clock.
import { fromCents } from "../../contract/money.ts";
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import type { Payment } from "./payment.contract.ts";

/**
 * `charging`: a charge was requested, its result is unknown. `stopping`: the same, and the order was cancelled since. `refunding`: a refund was
 * requested, its result is unknown. `cancelled`: nothing was charged, and nothing will be.
 */
export type State = "pending" | "charging" | "succeeded" | "failed" | "stopping" | "refunding" | "refunded" | "cancelled";

/** The order is created or cancelled; a request is sent to the provider; the provider answers. */
export type EventType = "ordered" | "cancelled" | "requested" | "approved" | "declined" | "refunded";

/** An event that is missing here changes nothing: it is a repetition, or too late to matter. */
const TRANSITIONS: Record<State | "unknown", Partial<Record<EventType, State>>> = {
	unknown: { ordered: "pending", cancelled: "cancelled" },
	pending: { requested: "charging", cancelled: "cancelled" },
	charging: { approved: "succeeded", declined: "failed", cancelled: "stopping" },
	stopping: { approved: "refunding", declined: "failed" },
	succeeded: { cancelled: "refunding" },
	refunding: { refunded: "refunded" },
	failed: {},
	refunded: {},
	cancelled: {}
};

/** The states in which a request to the provider is open, and its kind. */
export const PROVIDER_REQUESTS: Partial<Record<State, "charge" | "refund">> = {
	pending: "charge",
	charging: "charge",
	stopping: "charge",
	refunding: "refund"
};

/** Whether a change of the state means that a request must be sent. */
export const opensRequest = (before: State | undefined, after: State) =>
	PROVIDER_REQUESTS[after] !== undefined && PROVIDER_REQUESTS[after] !== (before && PROVIDER_REQUESTS[before]);

/** The states in which a request can be sent, and the state after it was. */
export const SENDABLE = (Object.keys(PROVIDER_REQUESTS) as State[]).map(before => ({
	before,
	after: TRANSITIONS[before].requested ?? before
}));

const PUBLIC_STATUS: Record<State, Payment["status"]> = {
	pending: "pending",
	charging: "pending",
	stopping: "pending",
	succeeded: "succeeded",
	// Until the refund is confirmed, the order is paid.
	refunding: "succeeded",
	failed: "failed",
	refunded: "refunded",
	cancelled: "cancelled"
};

export interface StoredPayment {
	orderId: string;
	/** Unknown as long as only the order's cancellation was consumed. */
	buyerId?: string;
	amountCents?: number;
	/** The id of the request that created the order: the payment's messages carry it. */
	requestID?: string;
	state: State;
}

export interface PaymentEvent {
	orderId: string;
	type: EventType;
	buyerId?: string;
	amountCents?: number;
	requestID?: string;
}

/** Undefined while the amount is unknown. */
export const toResponse = ({ orderId, amountCents, state }: StoredPayment): Payment | undefined =>
	amountCents === undefined ? undefined : { orderId, amount: fromCents(amountCents), status: PUBLIC_STATUS[state] };

/** The provider's answer is published once, also if the order is cancelled by then. */
const TOPICS = { approved: "payment.succeeded", declined: "payment.failed" } as const satisfies Partial<
	Record<EventType, string>
>;

const toMessages = ({ orderId, buyerId, amountCents, requestID }: StoredPayment, { type }: PaymentEvent): Entry[] => {
	const topic = TOPICS[type as keyof typeof TOPICS];
	if (!topic || buyerId === undefined || amountCents === undefined) return [];
	const message: Message<typeof topic> = { orderId, buyerId, amount: fromCents(amountCents) };
	return [{ topic, message, requestID }];
};

export interface Outcome {
	/** The changed payments in their new state, each once. */
	changed: StoredPayment[];
	messages: Entry[];
	/** How many events changed nothing. */
	duplicates: number;
}

/** Applies events to payments, one after the other. */
export function applyEvents(payments: StoredPayment[], events: PaymentEvent[]): Outcome {
	const current = new Map(payments.map(payment => [payment.orderId, payment]));
	const changed = new Set<string>();
	const messages: Entry[] = [];
	let duplicates = 0;
	for (const event of events) {
		const { orderId, type } = event;
		const before = current.get(orderId);
		const state = TRANSITIONS[before?.state ?? "unknown"][type];
		// A cancellation that came first has neither buyer nor amount: the order still adds them.
		const addsDetails = type === "ordered" && before !== undefined && before.amountCents === undefined;
		if (state === undefined && !addsDetails) {
			duplicates++;
			continue;
		}
		const { buyerId, amountCents, requestID } = type === "ordered" ? event : (before ?? event);
		const after: StoredPayment = { orderId, buyerId, amountCents, requestID, state: state ?? before!.state };
		current.set(orderId, after);
		changed.add(orderId);
		messages.push(...toMessages(after, event));
	}
	return { changed: [...changed].map(id => current.get(id)!), messages, duplicates };
}
