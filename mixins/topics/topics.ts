/**
 * Durable topics for a Moleculer service: consume what the schema lists, publish what the contracts know. At least once, in order per key.
 *
 *     const contracts = { "order.created": { message: z.object({ id: z.string() }), key: order => order.id } };
 *     export default {
 *       name: "mailer",
 *       mixins: [topics(kafkaLog({ brokers: ["localhost:9092"], clientId: "mailer" }), { contracts, partitions: 12 })],
 *       topics: {
 *         async "order.created"({ message, ctx }) { await ctx.call("mail.send", { order: message.id }); }   // or { batch: async ({ received }) => {…} }
 *       },
 *       actions: { remind() { return this.publish("order.created", { id: "1" }); } }                       // resolves once it is durable
 *     };
 *
 * A message that cannot be read, or whose handler refuses it, goes to `<topic>.dead` with headers that say where from and why, before the offset
 * moves on. While something the handler needs is away, its partition waits, for as long as it takes, and health says so.
 */
import type { Service, ServiceSchema } from "moleculer";
import { exitWithError } from "../../runtime/exit-with-error.ts";
import { addCheck, type Dependency, release, retain, waitUntilReachable } from "../dependency.ts";
import { deadTopic } from "./dead-letter.ts";
import { type Encodable, encode } from "./encode.ts";
import type { PublishOptions } from "./handler-types.ts";
import { registerLagMetric } from "./metrics.ts";
import { type Subscription, subscription, topicsOf } from "./subscription.ts";
import type { Consumer, TopicLog, TopicSpec } from "./topic-log.ts";

export interface TopicsOptions {
	contracts: Record<string, Encodable & { retentionMs?: number }>;
	/** For topics that are made on start. */
	partitions: number;
	/** Whether this node does that service's work; otherwise the service only publishes here. Default: yes. */
	consumes?: (service: string) => boolean;
	/** Where the log is looked for, for the line that says it is not there. */
	where?: string;
	name?: string;
	advice?: string;
}

const DAY_MS = 86_400_000;
const RETENTION_MS = 7 * DAY_MS;
const DEAD_RETENTION_MS = 90 * DAY_MS;
const MAX_RECORD_BYTES = 1024 * 1024;

/** A dead letter is its record with more headers: the topic must take larger ones than its source, or the largest could never be laid to rest. */
const specs = ({ contracts, partitions }: TopicsOptions): TopicSpec[] =>
	Object.entries(contracts).flatMap(([name, { retentionMs = RETENTION_MS }]) => [
		{ name, partitions, retentionMs, maxBytes: MAX_RECORD_BYTES },
		{ name: deadTopic(name), partitions, retentionMs: DEAD_RETENTION_MS, maxBytes: 2 * MAX_RECORD_BYTES }
	]);

const creating = new WeakMap<TopicLog, Promise<void>>();
const createOnce = (log: TopicLog, options: TopicsOptions) => {
	let made = creating.get(log);
	if (!made) {
		made = log.create(specs(options));
		creating.set(log, made);
		made.catch(() => creating.delete(log));
	}
	return made;
};

const dependencies = new WeakMap<TopicLog, Dependency>();
const dependencyOf = (
	log: TopicLog,
	{ where = "its address", name = "kafka", advice = "start it, or set KAFKA_BROKERS" }: TopicsOptions
): Dependency => {
	const access = "KAFKA_USERNAME and KAFKA_PASSWORD";
	const known = dependencies.get(log) ?? { name, where, advice, access, check: () => log.check(), close: () => log.close() };
	dependencies.set(log, known);
	return known;
};

interface TopicsService extends Service {
	topicSubscription?: Subscription;
	topicConsumer?: Consumer;
	topicsStarted?: Promise<unknown>;
}

/** Mixin: the service reads and writes the log itself. It is closed with its last user. */
export const withLog = (log: TopicLog, options: TopicsOptions): Partial<ServiceSchema> => ({
	created() {
		retain(dependencyOf(log, options));
	},
	async stopped() {
		await release(dependencyOf(log, options));
	}
});

/** Mixin; see the top of this file. */
export function topics(log: TopicLog, options: TopicsOptions): Partial<ServiceSchema> {
	const { consumes = () => true } = options;
	const dependency = dependencyOf(log, options);

	async function begin(this: TopicsService, names: string[]) {
		await createOnce(log, options);
		if (names.length === 0 || !consumes(this.name)) return;
		const { trouble, handle } = subscription(this, log, options);
		addCheck(this.broker, `topics:${this.name}`, async () => trouble() ?? this.topicConsumer?.trouble() ?? "ok");
		const consumer = await log.consume({ group: this.name, topics: names, handler: handle });
		this.topicConsumer = consumer;
		registerLagMetric(this.broker, this.name, names, () => (consumer.trouble() ? undefined : consumer.lag()));
	}

	return {
		created(this: TopicsService) {
			retain(dependency);
			addCheck(this.broker, dependency.name, () => log.check().then(() => "ok"));
		},

		// The service does not wait for its topics: what it can answer without them it answers.
		started(this: TopicsService) {
			const names = Object.keys(topicsOf(this));
			this.topicsStarted = waitUntilReachable(
				dependency,
				this.logger,
				() => this.broker.stopping,
				() => begin.call(this, names)
			).catch(error => {
				// Topics that are not as they must be: nothing that this node could do would be right.
				exitWithError(error.message);
			});
		},

		async stopped(this: TopicsService) {
			await this.topicsStarted;
			await this.topicConsumer?.stop();
			await release(dependency);
		},

		methods: {
			async publish(this: TopicsService, topic: string, message: unknown, publishOptions: PublishOptions = {}) {
				await log.append([encode(options.contracts, topic, message, publishOptions)]);
				this.logger.debug("published", { topic, requestID: publishOptions.requestID });
			}
		}
	};
}
