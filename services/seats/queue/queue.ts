// What the service seats does for its queues: accounts join, and on a node that runs the service they are admitted.
import type { Logger, ServiceBroker } from "moleculer";
import { toRefusal } from "../../../mixins/database/database-errors.ts";
import { type Deadline, skipExpired } from "../../../mixins/deadline.ts";
import { addCheck } from "../../../mixins/health.ts";
import { microBatch } from "../../../mixins/micro-batch.ts";
import type { Place } from "../seats.contract.ts";
import { noSuchShow } from "../seats.errors.ts";
import { type AdmissionOptions, startAdmission } from "./queue.admission.ts";
import type { Applicant, QueueStore } from "./queue.store.ts";

/** One batch at a time: those who join after the opening are admitted in the order in which they came. */
const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };

export function seatQueue(store: QueueStore) {
	const join = microBatch(
		skipExpired((applicants: Applicant[]) => store.join(applicants), "Postgres"),
		BATCH
	);
	let admission: ReturnType<typeof startAdmission> | undefined;

	return {
		/** The place of the account, which joins if it has not. Errors: `NOT_FOUND` (the show), `UNAVAILABLE`. */
		async join(showId: string, userId: string, deadline: Deadline): Promise<Place> {
			const joined = deadline.bound(join({ item: { showId, userId }, deadline }), "Postgres");
			const place = await joined.catch(error => Promise.reject(toRefusal(error)));
			if (!place) throw noSuchShow(showId);
			if (place.state === "waiting") admission?.wake();
			return place;
		},

		/** Admits from now on, while this node has the lease. */
		start(broker: ServiceBroker, logger: Pick<Logger, "debug" | "info" | "warn">, options: AdmissionOptions) {
			admission = startAdmission(store, broker.nodeID, logger, options);
			addCheck(broker, "queues", admission.check);
		},

		stop: async () => admission?.stop()
	};
}
