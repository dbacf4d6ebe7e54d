/**
 * Publishes the messages of an outbox to their topics: each message at least once, each key's in order. One node at a time does, by a lease.
 *
 *     mixins: [relay(box, log), database(db, migrations)]       // before the mixin that creates the tables: it starts after it
 *
 * A message is deleted once the log has acknowledged it. A relay that crashes in between publishes it again, so its consumers must expect that.
 * While the log is unavailable everything waits, and health reports for how long; also for a message that the log never accepts.
 */
import type { Service, ServiceSchema } from "moleculer";
import { addCheck } from "../health.ts";
import { addMetric, type Metric, metricName } from "../metrics.ts";
import { leaseOf, unsharedLease } from "./lease.ts";
import type { Outbox } from "./outbox.ts";
import { type AppendLog, type PollMs, startRelay } from "./relay-loop.ts";

export interface RelayOptions {
	/** Whether this node publishes. If not, it adds health and metrics only. Default: yes. */
	runsService?: boolean | ((service: string) => boolean);
	/** How late commits of other processes are seen: the pause is `least` after one, and doubles up to `most` while there are none. Default: 5 to 100 ms. */
	pollMs?: PollMs;
	/** No other process can open this database, as with the embedded one: the relay then needs no lease. Default: false. */
	isAlone?: boolean;
	/** Put before the metric's name, with a dot. Default: none, so the metric is `outbox.age.seconds`. */
	metricsPrefix?: string;
}

const LATE_MS = 5_000;
const ageMetric = (prefix: string | undefined): Metric => ({
	name: metricName(prefix, "outbox.age.seconds"),
	type: "gauge",
	description:
		"age of the oldest message in the table, published or not (published ones are deleted within 250 ms); NaN: the database is unavailable",
	labelNames: ["outbox"]
});

interface RelayService extends Service {
	outboxRelay?: ReturnType<typeof startRelay>;
}

/** Mixin; see the top of this file. */
export function relay(outbox: Outbox, log: AppendLog, options: RelayOptions = {}): Partial<ServiceSchema> {
	const { runsService = true, pollMs = { least: 5, most: 100 }, isAlone = false, metricsPrefix } = options;
	return {
		created(this: RelayService) {
			addCheck(this.broker, outbox.table, async () => {
				const ageMs = await outbox.ageMs();
				return ageMs < LATE_MS ? "ok" : `the oldest message has waited for ${Math.round(ageMs / 1000)} s`;
			});
			// Every node that loads the service reports it, also when the node that should publish has ended.
			const reading = (ageMs: number) => [{ value: ageMs / 1000, labels: { outbox: outbox.table } }];
			addMetric(this.broker, ageMetric(metricsPrefix), async () => reading(await outbox.ageMs()), reading(Number.NaN));
		},

		started(this: RelayService) {
			if (typeof runsService === "function" ? !runsService(this.name) : !runsService) return;
			const lease = isAlone ? unsharedLease : leaseOf(outbox, this.broker.nodeID);
			this.outboxRelay = startRelay(outbox, log, lease, this.logger, pollMs);
		},

		async stopped(this: RelayService) {
			await this.outboxRelay?.stop();
		}
	};
}
