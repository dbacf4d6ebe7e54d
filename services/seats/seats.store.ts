// Seats in Postgres. Every change commits together with its messages.
import type { Knex } from "knex";
import type { Outbox } from "../../mixins/outbox/outbox.ts";
import { reservations } from "../../mixins/reservation/reservation.store.ts";
import { areAdmitted, type QueueStore, sqlQueue } from "./queue/queue.store.ts";
import { type HoldOptions, type HoldStore, sqlHolds } from "./seats.store.holds.ts";
import { type MapStore, sqlMaps } from "./seats.store.maps.ts";
import { type ShowStore, sqlShows } from "./seats.store.shows.ts";

export type SeatsStore = ShowStore & MapStore & HoldStore & { queue: QueueStore };

/** `holdSeconds`: how long seats are held. The outbox's contracts must have the topics of seats. */
export function sqlSeats(
	knex: Knex,
	outbox: Outbox,
	{ holdSeconds, now = "now()" }: Pick<HoldOptions, "holdSeconds"> & Partial<HoldOptions>
): SeatsStore {
	const seats = reservations(knex, "seats", { now });
	return {
		...sqlShows(knex, seats),
		...sqlMaps(knex, now),
		...sqlHolds(knex, seats, outbox, { holdSeconds, now, areAdmitted }),
		queue: sqlQueue(knex, outbox, { now })
	};
}
