/**
 * Durable topics for a Moleculer service: it consumes what its schema lists under `topics` and publishes by `this.publish`. At least once, in
 * order per key. `defineTopics` (define-topics.ts) gives the same with types for handlers and messages.
 *
 *     const contracts = { "order.created": { message: z.object({ id: z.string() }), key: order => order.id } };
 *     export default {
 *       name: "mailer",
 *       mixins: [topics(kafkaLog({ brokers: ["localhost:9092"], clientId: "mailer", replication: 1 }), { contracts, partitions: 12 })],
 *       topics: {
 *         async "order.created"({ message, ctx }) { await ctx.call("mail.send", { order: message.id }); }   // or { batch: async ({ received }) => {…} }
 *       },
 *       actions: { remind() { return this.publish("order.created", { id: "1" }); } }                       // resolves once it is durable
 *     };
 *
 * A handler `{ everyNode: true, batch, missed() }` gets every message on every node, and nothing is committed: for what a node shows or caches.
 *
 * A message that cannot be read, or whose handler keeps failing, is published to `<topic>.dead` with headers that say from where and why; only
 * then its offset is committed. While a dependency of the handler is unavailable, the partition waits without a limit and health says so.
 *
 * A message carries its request's id and `meta` in headers, and calls made with the handler's `ctx` get them again:
 * `this.publish("order.created", order, { requestID: ctx.requestID, meta: ctx.meta })`. Of `meta` it carries `traceparent` and the keys that the
 * option `metaKeys` lists.
 *
 * A broker middleware may wrap the handlers: `handleTopicMessage(next, { service, topic, group, batch })` returns a function that gets what the
 * handler gets (with `batch: true` a whole batch) and calls `next` with it.
 */
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { deadlineIn, waitAtMost } from "../deadline.ts";
import { type Dependency, release, retain, waitUntilReachable } from "../dependency.ts";
import { addCheck } from "../health.ts";
import { createTopics } from "./create-topics.ts";
import { encode } from "./encode.ts";
import { everyNodeHandler, topicsOf } from "./every-node.ts";
import type { PublishOptions } from "./handler-types.ts";
import { registerLagMetric } from "./metrics.ts";
import { openConsumers } from "./open-consumers.ts";
import type { TopicsOptions } from "./options.ts";
import { markTopicsMixin } from "./require-mixin.ts";
import { subscription } from "./subscription.ts";
import type { Consumer, Outgoing, TopicLog } from "./topic-log.ts";

const PUBLISH_TIMEOUT_MS = 5_000;
/** How long a stop waits for topics that are being created. */
const BEGIN_TIMEOUT_MS = 2_000;

const dependencies = new WeakMap<TopicLog, Dependency>();
const dependencyOf = (log: TopicLog): Dependency => {
	const { name = "topics", where = "its address", advice = "start it", access } = log.description ?? {};
	const known = dependencies.get(log) ?? { name, where, advice, access, check: () => log.check(), close: () => log.close() };
	dependencies.set(log, known);
	return known;
};

interface TopicsService extends Service {
	topicConsumers?: Consumer[];
	/** Resolved once the ends of its `everyNode` topics are known. */
	topicsRead?: PromiseWithResolvers<void>;
	topicsStarted?: Promise<unknown>;
	areTopicsCreated?: boolean;
	/** Returns what its consumer waits for, or undefined. Set once the service can publish, and has started its consumer if it has one. */
	topicsProblem?: () => string | undefined;
}

/** Mixin for a service that uses the log directly: the log is closed when the last service that uses it stops. */
export const withLog = (log: TopicLog): Partial<ServiceSchema> => ({
	created() {
		retain(dependencyOf(log));
	},
	async stopped() {
		await release(dependencyOf(log));
	}
});

/** Throws when the schema lists a topic that no contract describes, or something that is not a handler. */
function checkTopics(service: Service, { contracts }: TopicsOptions) {
	for (const [topic, handler] of Object.entries(topicsOf(service))) {
		if (!Object.hasOwn(contracts, topic))
			throw new Error(
				`service "${service.name}" consumes topic "${topic}", which is in no contract: known are ${Object.keys(contracts).join(", ")}`
			);
		if (typeof handler !== "function" && typeof (handler as { batch?: unknown })?.batch !== "function")
			throw new Error(`service "${service.name}": the handler of topic "${topic}" must be a function or { batch: function }`);
		if (everyNodeHandler(handler) && typeof (handler as { missed?: unknown }).missed !== "function")
			throw new Error(`service "${service.name}": topic "${topic}" has everyNode and needs the function "missed" too`);
	}
}

const stopping = new WeakSet<ServiceBroker>();

function stopBroker({ broker, logger, name }: Service, error: Error) {
	logger.fatal(`service "${name}" cannot use its topics, stopping the broker: ${error.message}`);
	// Several services may fail by the same log, and Moleculer would run a second stop beside the first.
	if (!stopping.has(broker)) void broker.stop();
	stopping.add(broker);
}

/** Mixin; see the top of this file. */
export function topics(log: TopicLog, options: TopicsOptions): Partial<ServiceSchema> {
	const { consumes = () => true, contracts, metaKeys, metricsPrefix, usesLogAtStart = true } = options;
	const dependency = dependencyOf(log);

	async function begin(this: TopicsService, names: string[]) {
		await createTopics(log, options);
		this.areTopicsCreated = true;
		if (names.length === 0 || !consumes(this.name)) {
			this.topicsProblem = () => undefined;
			return;
		}
		if (this.broker.stopping) return;
		const group = options.group ?? this.name;
		const { problem, handle } = subscription(this, log, options);
		const { consumers, positioned } = await openConsumers(this, log, group, handle);
		this.topicConsumers = consumers;
		void positioned.then(this.topicsRead?.resolve);
		const consumerProblem = () => consumers.map(one => one.problem()).find(one => one !== undefined);
		this.topicsProblem = () => problem() ?? consumerProblem();
		const lag = () => Object.assign({}, ...consumers.map(one => one.lag()));
		registerLagMetric(this.broker, group, names, () => (consumerProblem() ? undefined : lag()), metricsPrefix);
	}

	/** The start does not wait for the topics, so the first message may come before they exist. One limit for both steps. */
	async function appendOnceCreated(record: Outgoing) {
		const deadline = deadlineIn(PUBLISH_TIMEOUT_MS);
		const append = () => (deadline.isOver() ? undefined : log.append([record]));
		await deadline.bound(createTopics(log, options).then(append), dependency.name);
	}

	return markTopicsMixin({
		created(this: TopicsService) {
			checkTopics(this, options);
			this.topicsRead = Promise.withResolvers();
			retain(dependency);
			if (!usesLogAtStart) return;
			addCheck(this.broker, dependency.name, () => log.check().then(() => "ok"));
			// Added before the topics exist: until the service can publish and consume, it is not ready.
			addCheck(this.broker, `topics:${this.name}`, async () =>
				this.topicsProblem ? (this.topicsProblem() ?? "ok") : "starting"
			);
		},

		// Not awaited: actions that need no topic are answered while the log is unavailable.
		started(this: TopicsService) {
			if (!usesLogAtStart) return;
			const names = Object.keys(topicsOf(this));
			this.topicsStarted = waitUntilReachable(
				dependency,
				this.logger,
				() => this.broker.stopping,
				() => begin.call(this, names)
			).catch(error => {
				// Not awaited: `onFatal` may stop the broker, which waits for this start.
				void (options.onFatal ? options.onFatal(error) : stopBroker(this, error));
			});
		},

		async stopped(this: TopicsService) {
			await waitAtMost(this.topicsStarted ?? Promise.resolve(), BEGIN_TIMEOUT_MS);
			await Promise.all((this.topicConsumers ?? []).map(one => one.stop()));
			await release(dependency);
		},

		methods: {
			/** Resolves once this node reads its `everyNode` topics: what is published from then on reaches it. Never rejects. */
			untilEveryNodeTopicsAreRead(this: TopicsService): Promise<void> {
				return this.topicsRead!.promise;
			},

			/** Resolves once the message is durable. Rejects with 503 `UNAVAILABLE` within 5 s while the log is unavailable. */
			async publish(this: TopicsService, topic: string, message: unknown, publishOptions: PublishOptions = {}) {
				const record = encode(contracts, topic, message, { ...publishOptions, metaKeys });
				if (this.areTopicsCreated) await log.append([record]);
				else await appendOnceCreated(record);
				this.logger.debug("published", { topic, requestID: publishOptions.requestID });
			}
		}
	});
}
