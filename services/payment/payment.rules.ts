// What is decided about payments, without a store, a provider or a clock: their life as data, and what the world is told.

import { fromCents } from "../../contract/money.ts";
import type { Entry } from "../../mixins/outbox/outbox.ts";
import type { Message } from "../define-service.ts";
import type { Payment } from "./payment.contract.ts";

/**
 * `charging`: the provider has been asked, or is about to be; what it has done is not known. `stopping`: the same, of an order that was cancelled meanwhile.
 * `refunding`: it has to give back, and may have done so. `cancelled`: nothing is charged any more.
 */
export type State = "pending" | "charging" | "succeeded" | "failed" | "stopping" | "refunding" | "refunded" | "cancelled";

/** What happens to a payment: its order is made or cancelled; the provider is asked, and answers. */
export type EventType = "ordered" | "cancelled" | "asked" | "approved" | "declined" | "refunded";

/** What is not here changes nothing: it has happened before, or comes too late to matter. */
const TRANSITIONS: Record<State | "unknown", Partial<Record<EventType, State>>> = {
	unknown: { ordered: "pending", cancelled: "cancelled" },
	pending: { asked: "charging", cancelled: "cancelled" },
	charging: { approved: "succeeded", declined: "failed", cancelled: "stopping" },
	stopping: { approved: "refunding", declined: "failed" },
	succeeded: { cancelled: "refunding" },
	refunding: { refunded: "refunded" },
	failed: {},
	refunded: {},
	cancelled: {}
};

/** Where the provider has to be asked, and for what. */
export const PROVIDER_REQUESTS: Partial<Record<State, "charge" | "refund">> = {
	pending: "charge",
	charging: "charge",
	stopping: "charge",
	refunding: "refund"
};

const PUBLIC_STATUS: Record<State, Payment["status"]> = {
	pending: "pending",
	charging: "pending",
	stopping: "pending",
	succeeded: "succeeded",
	// Until it is given back it is paid.
	refunding: "succeeded",
	failed: "failed",
	refunded: "refunded",
	cancelled: "cancelled"
};

export interface StoredPayment {
	orderId: string;
	/** Unknown for an order of which only the cancellation has been heard. */
	buyerId?: string;
	amountCents?: number;
	/** The request that has set off the order: what is told of its payment belongs to it. */
	requestID?: string;
	state: State;
}

/** Something that happened to a payment, as it is brought to the store. */
export interface PaymentEvent {
	orderId: string;
	happening: EventType;
	buyerId?: string;
	amountCents?: number;
	requestID?: string;
}

/** A payment as its buyer sees it; undefined while nobody knows how much it would be. */
export const toResponse = ({ orderId, amountCents, state }: StoredPayment): Payment | undefined =>
	amountCents === undefined ? undefined : { orderId, amount: fromCents(amountCents), status: PUBLIC_STATUS[state] };

/** Every answer of the provider is told once, whatever becomes of the order. */
const TOPICS = { approved: "payment.succeeded", declined: "payment.failed" } as const satisfies Partial<
	Record<EventType, string>
>;

const told = ({ orderId, buyerId, amountCents, requestID }: StoredPayment, { happening }: PaymentEvent): Entry[] => {
	const topic = TOPICS[happening as keyof typeof TOPICS];
	if (!topic || buyerId === undefined || amountCents === undefined) return [];
	const message: Message<typeof topic> = { orderId, buyerId, amount: fromCents(amountCents) };
	return [{ topic, message, requestID }];
};

export interface Outcome {
	/** As they are now, each once. */
	changed: StoredPayment[];
	told: Entry[];
	/** How many of the events changed nothing. */
	duplicates: number;
}

/** What events make of payments that stand as given, one after the other. */
export function applyEvents(payments: StoredPayment[], events: PaymentEvent[]): Outcome {
	const now = new Map(payments.map(payment => [payment.orderId, payment]));
	const changed = new Set<string>();
	const entries: Entry[] = [];
	let duplicates = 0;
	for (const event of events) {
		const { orderId, happening } = event;
		const before = now.get(orderId);
		const state = TRANSITIONS[before?.state ?? "unknown"][happening];
		// A cancellation that came first knows neither buyer nor amount: the order still brings them.
		const isNamed = happening === "ordered" && before !== undefined && before.amountCents === undefined;
		if (state === undefined && !isNamed) {
			duplicates++;
			continue;
		}
		const { buyerId, amountCents, requestID } = happening === "ordered" ? event : (before ?? event);
		const after: StoredPayment = { orderId, buyerId, amountCents, requestID, state: state ?? before!.state };
		now.set(orderId, after);
		changed.add(orderId);
		entries.push(...told(after, event));
	}
	return { changed: [...changed].map(id => now.get(id)!), told: entries, duplicates };
}
