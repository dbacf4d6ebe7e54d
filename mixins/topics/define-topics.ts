/**
 * Topics with types: handlers get the message type of their topic, and publishing to an unknown topic, or a wrong message, does not compile.
 *
 *     const shop = defineTopics({
 *       "order.created": { message: z.object({ id: z.string() }), key: order => order.id }
 *     });
 *     const log = kafkaLog({ brokers: ["localhost:9092"], clientId: "mailer", replication: 1 });
 *
 *     export default shop.service({
 *       name: "mailer",
 *       mixins: [shop.mixin(log, { partitions: 12 })],
 *       topics: {
 *         async "order.created"({ message, ctx }) { await ctx.call("mail.send", { order: message.id }); }
 *       },
 *       actions: {
 *         remind() { return this.publish("order.created", { id: "1" }); }
 *       }
 *     });
 */
import type { ActionSchema, Context, Service, ServiceSchema } from "moleculer";
import type { z } from "zod";
import type { EveryNode, HandleBatch, HandleOne, PublishOptions } from "./handler-types.ts";
import type { TopicsOptions } from "./options.ts";
import { requireTopicsMixin } from "./require-mixin.ts";
import type { TopicLog } from "./topic-log.ts";
import { topics } from "./topics.ts";

/** What is on one topic. */
export interface TopicContract<M extends z.ZodType> {
	/** The message is stored as JSON, with exactly the fields of this schema. */
	message: M;
	/** Messages of one key stay in order, and are handled one at a time. */
	key: (message: z.output<M>) => string;
	/** Older records may be deleted. Default: 7 days. */
	retentionMs?: number;
}

type Messages = Record<string, z.ZodType>;

export type TopicHandlers<M extends Messages> = {
	[T in keyof M]?:
		| HandleOne<z.output<M[T]>>
		| { batch: HandleBatch<z.output<M[T]>>; everyNode?: false }
		| EveryNode<z.output<M[T]>>;
};

export interface TopicPublisher<M extends Messages> {
	/** Resolves once the message is durable. Rejects with 503 `UNAVAILABLE` within 5 s, and with 422 `VALIDATION_ERROR`. */
	publish<T extends keyof M & string>(topic: T, message: z.input<M[T]>, options?: PublishOptions): Promise<void>;
	/** Resolves once this node reads its `everyNode` topics: what is published from then on reaches it. Never rejects. */
	untilEveryNodeTopicsAreRead(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: Moleculer types neither an action's params nor its meta
type ActionHandler = (ctx: Context<any, any>) => unknown;

/** Moleculer's service schema with typed `topics`, and with `publish` on `this`. */
export type TopicServiceSchema<M extends Messages, Methods> = Omit<ServiceSchema, "actions" | "methods" | "events"> & {
	topics?: TopicHandlers<M>;
	actions?: Record<string, ActionHandler | (Omit<ActionSchema, "handler"> & { handler: ActionHandler }) | false>;
	events?: Record<string, ActionHandler>;
	methods?: Methods;
	created?(): void;
	started?(): void | Promise<void>;
	stopped?(): void | Promise<void>;
} & ThisType<Service & Methods & TopicPublisher<M>>;

export interface DefinedTopics<M extends Messages> {
	contracts: { [T in keyof M]: TopicContract<M[T]> };
	/** The topics mixin (topics.ts) with these contracts. */
	mixin(log: TopicLog, options: Omit<TopicsOptions, "contracts">): Partial<ServiceSchema>;
	/** Types a service schema. Throws when it lists `topics`, or publishes, without the mixin. */
	service<Methods extends Record<string, (...args: never[]) => unknown> = Record<never, never>>(
		schema: TopicServiceSchema<M, Methods>
	): ServiceSchema;
}

/** See the top of this file. */
export function defineTopics<M extends Messages>(contracts: { [T in keyof M]: TopicContract<M[T]> }): DefinedTopics<M> {
	return {
		contracts,
		mixin: (log, options) => topics(log, { ...options, contracts: contracts as TopicsOptions["contracts"] }),
		service(schema) {
			requireTopicsMixin(schema as unknown as ServiceSchema);
			return schema as unknown as ServiceSchema;
		}
	};
}
