import { randomUUID } from "node:crypto";
import type { Logger, ServiceSchema } from "moleculer";
import { idFrom } from "../../contract/id.ts";
import { deadlineIn, deadlineOf } from "../../mixins/deadline.ts";
import { unauthorized } from "../../mixins/errors.ts";
import { takeTurns } from "../../mixins/in-turn.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import { defineService, type Meta, turnKeyOf } from "../define-service.ts";
import type { AdmissionOptions } from "./queue/queue.admission.ts";
import { seatQueue } from "./queue/queue.ts";
import { batchesOf, type LogBatch, within } from "./seats.batch.ts";
import type { HoldRequest } from "./seats.choose.ts";
import { createEnding, type EndRequest } from "./seats.end.ts";
import { noSuchShow } from "./seats.errors.ts";
import { createHolding } from "./seats.hold.ts";
import { seatMaps } from "./seats.maps.ts";
import { seatingPlans } from "./seats.plans.ts";
import { toHold, toSeat, toShow } from "./seats.rules.ts";
import type { StatusCache } from "./seats.store.cache.ts";
import type { SeatsStore } from "./seats.store.ts";
import { startSweep } from "./seats.sweep.ts";

export interface SeatsOptions {
	mixins?: Partial<ServiceSchema>[];
	/** Concurrent transactions of each kind. More than one helps only if the store has a connection for each. */
	batches?: number;
	/** The time within which a caller has an answer. Default 4.5 s, below a client's 5 s. */
	timeoutMs?: number;
	/** Whether this node frees the seats of expired holds. */
	sweeps?: boolean;
	/** If given, this node admits people from the queues while it has the lease. */
	admission?: AdmissionOptions;
}

/** Requests that share the maps that are read. Few: each of them waits for the maps of all. */
const MAPS = { maxItems: 16, maxWaiting: 20_000, concurrency: 2, name: "Postgres" };

const buyerOf = ({ caller }: Meta): string => {
	if (!caller) throw unauthorized("Sign in, and send your token");
	return caller.id;
};

/** Sells seats: nobody else gets a seat that is held or sold. Concurrent requests share a transaction. */
export function seats(
	store: SeatsStore,
	cache: StatusCache,
	{ mixins = [], batches = 1, timeoutMs = 4_500, sweeps = false, admission }: SeatsOptions = {}
) {
	// Set when the service is created.
	let logger: Logger;
	let sweep: ReturnType<typeof startSweep> | undefined;

	const log: LogBatch = (...line) => logger.info(...line);
	const batchOf = batchesOf({ timeoutMs, log });
	const findPlans = seatingPlans(store);
	const hold = createHolding(store, findPlans);
	const { confirm, release } = createEnding(store);
	const holdNamed = batchOf(hold, "held seats", batches);
	// One at a time: two would choose the same seats.
	const holdBest = batchOf(hold, "held the best seats", 1);
	const confirmInBatch = batchOf(confirm, "sold the seats of holds", batches);
	const releaseInBatch = batchOf(release, "released holds", batches);
	const queue = seatQueue(store.queue, { timeoutMs, log });
	const listInTurn = takeTurns("Postgres");
	const maps = seatMaps(store, findPlans, cache);
	// Clients that request the map of one show at the same time share it. None gets a map from before its request.
	const findMap = microBatch((showIds: string[]) => within(deadlineIn(timeoutMs), maps(showIds)), MAPS);

	/** A page of a long list. The client's next one waits for it. */
	const list = <T>(meta: Meta, read: () => Promise<T>): Promise<T> => {
		const deadline = deadlineIn(timeoutMs);
		return listInTurn(turnKeyOf(meta), deadline, () => within(deadline, read()));
	};
	const findShow = async (showId: string) => {
		const show = (await within(deadlineIn(timeoutMs), store.findShows([showId]))).get(showId);
		if (!show) throw noSuchShow(showId);
		return show;
	};
	const endRequest = (ctx: { params: { id: string }; meta: Meta; requestID?: string | null }): EndRequest => ({
		holdId: ctx.params.id,
		buyerId: buyerOf(ctx.meta),
		requestID: ctx.requestID ?? undefined
	});

	return defineService({
		name: "seats",
		mixins,

		actions: {
			async createShow(ctx) {
				const { name, startsAt, seats: given, queue } = ctx.params;
				const deadline = deadlineOf(ctx, timeoutMs);
				const show = {
					name,
					startsAt: new Date(startsAt),
					seats: given.map(toSeat),
					...(queue && { queue: { ...queue, opensAt: new Date(queue.opensAt) } })
				};
				const created = await within(
					deadline,
					store.createShow(show, () => deadline.isOver())
				);
				this.logger.info("created a show", {
					show: created.showId,
					seats: created.seatCount,
					by: ctx.meta.caller?.id ?? "operator",
					requestID: ctx.requestID ?? undefined
				});
				return toShow(created);
			},

			shows: async ctx => (await list(ctx.meta, () => store.listShows(ctx.params))).map(toShow),
			show: async ctx => toShow(await findShow(ctx.params.id)),

			async seats(ctx) {
				const map = await deadlineIn(timeoutMs).bound(findMap(ctx.params.id), "Postgres");
				if (!map) throw noSuchShow(ctx.params.id);
				return map;
			},

			async hold(ctx) {
				const { id: showId, seats: named, best, idempotencyKey } = ctx.params;
				const buyerId = buyerOf(ctx.meta);
				const deadline = deadlineOf(ctx, timeoutMs);
				const request: HoldRequest = {
					holdId: idempotencyKey === undefined ? randomUUID() : idFrom(buyerId, showId, idempotencyKey),
					hasKey: idempotencyKey !== undefined,
					showId,
					buyerId,
					wanted: named ? { seats: named } : { best: best! },
					requestID: ctx.requestID ?? undefined,
					isTooLate: deadline.isOver
				};
				return (named ? holdNamed : holdBest)(request, ctx.meta, deadline);
			},

			confirm: async ctx => confirmInBatch(endRequest(ctx), ctx.meta, deadlineOf(ctx, timeoutMs)),
			release: async ctx => releaseInBatch(endRequest(ctx), ctx.meta, deadlineOf(ctx, timeoutMs)),

			async holds(ctx) {
				const page = { ...ctx.params, buyerId: buyerOf(ctx.meta) };
				const open = await list(ctx.meta, () => store.listOpen(page));
				return open.map(one => toHold(one, one.expiresAt));
			},

			async join(ctx) {
				const applicant = { showId: ctx.params.id, userId: buyerOf(ctx.meta), requestID: ctx.requestID ?? undefined };
				return queue.join(applicant, deadlineOf(ctx, timeoutMs));
			}
		},

		created() {
			logger = this.logger;
		},

		started() {
			if (sweeps) sweep = startSweep(store, this.logger);
			if (admission) queue.start(this.broker, this.logger, admission);
		},

		async stopped() {
			await Promise.all([sweep?.stop(), queue.stop()]);
		}
	});
}
