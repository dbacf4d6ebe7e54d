// What the service seats does for its queues: accounts join, and on a node that runs the service they are admitted.
import type { Logger, ServiceBroker } from "moleculer";
import { type Deadline, deadlineIn, skipExpired } from "../../../mixins/deadline.ts";
import { addCheck } from "../../../mixins/health.ts";
import { microBatch } from "../../../mixins/micro-batch.ts";
import { type LogBatch, logBatch, within } from "../seats.batch.ts";
import type { Place } from "../seats.contract.ts";
import { noSuchShow } from "../seats.errors.ts";
import { type AdmissionOptions, startAdmission } from "./queue.admission.ts";
import type { Applicant, QueueStore } from "./queue.store.ts";

/** One batch at a time: those who join after the opening are admitted in the order in which they came. */
const BATCH = { maxItems: 500, maxWaiting: 20_000, name: "Postgres" };

/** `timeoutMs`: of one batch. */
export function seatQueue(store: QueueStore, { timeoutMs, log }: { timeoutMs: number; log: LogBatch }) {
	const joinAndLog = async (applicants: (Applicant & { requestID?: string })[]) => {
		const places = await within(deadlineIn(timeoutMs), store.join(applicants));
		const joined = applicants.filter((_, n) => places[n]);
		logBatch(
			log,
			"joined queues",
			joined.map(({ showId, requestID }) => ({ id: showId, requestID }))
		);
		return places;
	};
	const join = microBatch(skipExpired(joinAndLog, "Postgres"), BATCH);
	let admission: ReturnType<typeof startAdmission> | undefined;

	return {
		/** The place of the account, which joins if it has not. Errors: `NOT_FOUND` (the show), `UNAVAILABLE`. */
		async join(applicant: Applicant & { requestID?: string }, deadline: Deadline): Promise<Place> {
			const { showId } = applicant;
			const place = await within(deadline, join({ item: applicant, deadline }));
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
