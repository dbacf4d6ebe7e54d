import { randomUUID } from "node:crypto";
import type { ServiceSchema } from "moleculer";
import { toCents } from "../../contract/money.ts";
import { type Deadline, deadlineIn, deadlineOf, skipExpired } from "../../mixins/deadline.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { defineService } from "../define-service.ts";
import { type Attempt, isoTime } from "./purchase.rules.ts";
import type { PurchaseStore } from "./purchase.store.ts";

export interface PurchaseOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Concurrent transactions. More than one helps only if the store has a connection for each. */
	batches?: number;
	/** Makes the id of a purchase that was requested without one. */
	newID?: () => string;
}

const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };
/** Below the 5 s after which a client must have an answer. */
const TIMEOUT_MS = 4_500;

const inTime = <T>(work: Promise<T>): Promise<T> => deadlineIn(TIMEOUT_MS).bound(work, "Postgres");

/** Sells: a repeated request with the same id buys once. */
export function purchase(store: PurchaseStore, { mixins = [], batches = 1, newID = randomUUID }: PurchaseOptions = {}) {
	const buyBatch = microBatch(
		skipExpired((attempts: Attempt[]) => inTime(store.buy(attempts)), "Postgres"),
		{ ...BATCH, concurrency: batches }
	);
	const buy = (item: Attempt, deadline: Deadline) => deadline.bound(buyBatch({ item, deadline }), "Postgres");
	const total = microBatch((userIDs: string[]) => inTime(store.totals(userIDs)), BATCH);

	return defineService({
		name: "purchase",
		mixins,

		actions: {
			async create(ctx) {
				const { id = newID(), user_id: userID, amount } = ctx.params;
				const requestID = ctx.requestID ?? undefined;
				const item = { id, userID, amountCents: toCents(amount), requestID };
				const { purchase } = await buy(item, deadlineOf(ctx, TIMEOUT_MS));
				this.logger.debug("stored", { purchase: id, user: userID, requestID });
				return purchase;
			},

			async record(ctx) {
				const { id, user_id: userID, amount, created_at } = ctx.params;
				const requestID = ctx.requestID ?? undefined;
				const item = { id, userID, amountCents: toCents(amount), createdAt: isoTime(created_at), requestID };
				const { isNew } = await buy(item, deadlineOf(ctx, TIMEOUT_MS));
				this.logger.debug("recorded", { purchase: id, user: userID, isNew, requestID });
				return { recorded: isNew };
			},

			total: ctx => inTime(total(ctx.params.user_id))
		}
	});
}
