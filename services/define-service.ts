// A Moleculer service schema, typed by its contract: actions, topic handlers, `publish` and calls.
import type { CallingOptions, Context, Service, ServiceSchema } from "moleculer";
import type { z } from "zod";
import type { Identity } from "../contract/action.ts";
import type * as topics from "../mixins/topics/handler-types.ts";
import { hasTopicsMixin } from "../mixins/topics/require-mixin.ts";
import type { ActionsOf, actions, topics as declared, ServiceName } from "./contract.ts";

export type Actions = typeof actions;
export type Topics = typeof declared;
export type Message<T extends keyof Topics> = z.output<Topics[T]["message"]>;

export interface Caller {
	call<A extends keyof Actions>(
		name: A,
		params: z.input<Actions[A]["params"]>,
		options?: CallingOptions
	): Promise<z.output<Actions[A]["result"]>>;
}

/**
 * What travels with every call of a request. `caller`: the signed-in account; `address`: the client's address as limits count it (of IPv6 the /64
 * network); `$repl`: the call comes from the REPL, which acts as the operator.
 */
export interface Meta {
	caller?: Identity;
	address?: string;
	$repl?: boolean;
}

/**
 * The key under which a client's work waits in turn (mixins/in-turn.ts): its address, because one person may have many accounts; without an address its
 * account; for the operator the empty text.
 */
export const turnKeyOf = ({ address, caller }: Meta): string => address ?? caller?.id ?? "";

export type Ctx<Params> = Omit<Context<Params, Meta>, "call" | "mcall"> & Caller;

/** A message as a topic handler receives it, with calls typed by the contracts. */
export type Received<M> = topics.Received<M, Caller>;

export interface Publisher<Published extends keyof Topics> {
	/** Puts a message on its topic; resolves once it is durable there. Rejects with 503 `UNAVAILABLE` within 5 s while the log is unavailable. */
	publish<T extends Published>(topic: T, message: z.input<Topics[T]["message"]>, options?: topics.PublishOptions): Promise<void>;
}

/** The actions of a service's contract by their verb; by their full name (`settings.$noServiceNamePrefix`) where that is not `<service>.<verb>`. */
type Own<Name extends string> = {
	[A in keyof ActionsOf<Name> & string as A extends `${Name}.${infer Verb}` ? Verb : A]: ActionsOf<Name>[A];
};
type Implement<Contracts> = {
	[Verb in keyof Contracts]: Contracts[Verb] extends { params: infer P extends z.ZodType; result: infer R extends z.ZodType }
		? (ctx: Ctx<z.output<P>>) => Promise<z.input<R>>
		: never;
};
type Handlers = {
	[T in keyof Topics]?:
		| topics.HandleOne<Message<T>, Caller>
		| { batch: topics.HandleBatch<Message<T>, Caller>; everyNode?: false }
		| topics.EveryNode<Message<T>, Caller>;
};

/**
 * Moleculer's service schema with the contract's types: a misspelt action or topic, a wrong field or a wrong answer does not compile, and
 * `this.publish` knows only the topics that `publishes` lists. Throws where a service has topics but not the mixin that consumes and publishes them:
 * Moleculer would ignore `topics` silently.
 */
export const defineService = <
	const Name extends string,
	const Published extends keyof Topics = never,
	Methods extends Record<string, (...args: never[]) => unknown> = Record<never, never>
>(
	schema: {
		name: Name;
		mixins?: Partial<ServiceSchema>[];
		dependencies?: readonly ServiceName[];
		settings?: Record<string, unknown>;
		actions?: Implement<Own<Name>>;
		/** Consumes these topics: each message for itself, or in batches. */
		topics?: Handlers;
		/** The topics that `this.publish` may write to. What an outbox publishes is not listed. */
		publishes?: readonly Published[];
		methods?: Methods;
		created?(): void;
		started?(): void | Promise<void>;
		stopped?(): void | Promise<void>;
	} & ThisType<Service & Methods & Publisher<Published>>
): ServiceSchema => {
	const { name, mixins, topics = {}, publishes = [] } = schema;
	const [consumed, published] = [Object.keys(topics), [...publishes]];
	if (consumed.length + published.length > 0 && !hasTopicsMixin({ mixins }))
		throw new Error(
			`service "${name}" lists topics (${[...new Set([...consumed, ...published])].join(", ")}), but its mixins have no topics mixin: add withTopics()`
		);
	return schema as unknown as ServiceSchema;
};
