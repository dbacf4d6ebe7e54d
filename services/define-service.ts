// A Moleculer service schema, typed by its contract: actions, topic handlers, `publish` and calls.
import type { CallingOptions, Context, Service, ServiceSchema } from "moleculer";
import type { z } from "zod";
import type { Identity } from "../contract/action.ts";
import type * as topics from "../mixins/topics/handler-types.ts";
import type { ActionsOf, actions, topics as declared } from "./contract.ts";

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
 * `caller`: who asked from outside, if they are signed in; `address`: where the request came from, as limits count it (of IPv6 the /64 network);
 * `$repl`: a person at the prompt, who acts as the operator.
 */
export interface Meta {
	caller?: Identity;
	address?: string;
	$repl?: boolean;
}

export type Ctx<Params> = Omit<Context<Params, Meta>, "call" | "mcall"> & Caller;

/** What a handler is given of a message, with calls typed by the contracts. */
export type Received<M> = topics.Received<M, Caller>;

export interface Publisher {
	/** Puts a message on its topic; resolves once it is durable there. Rejects with 503 `UNAVAILABLE` within 5 s when the log is away. */
	publish<T extends keyof Topics>(
		topic: T,
		message: z.input<Topics[T]["message"]>,
		options?: topics.PublishOptions
	): Promise<void>;
}

/** What a service's contract declares, by the verb; by the full name (`settings.$noServiceNamePrefix`) where that is not `<service>.<verb>`. */
type Own<Name extends string> = {
	[A in keyof ActionsOf<Name> & string as A extends `${Name}.${infer Verb}` ? Verb : A]: ActionsOf<Name>[A];
};
type Implement<Contracts> = {
	[Verb in keyof Contracts]: Contracts[Verb] extends { params: infer P extends z.ZodType; result: infer R extends z.ZodType }
		? (ctx: Ctx<z.output<P>>) => Promise<z.input<R>>
		: never;
};
type Handlers = {
	[T in keyof Topics]?: topics.HandleOne<Message<T>, Caller> | { batch: topics.HandleBatch<Message<T>, Caller> };
};

/** Moleculer's service schema with the contract's types: a misspelt action, a wrong field or a wrong answer does not compile. */
export const defineService = <
	const Name extends string,
	Methods extends Record<string, (...args: never[]) => unknown> = Record<never, never>
>(
	schema: {
		name: Name;
		mixins?: Partial<ServiceSchema>[];
		dependencies?: readonly string[];
		settings?: Record<string, unknown>;
		actions?: Implement<Own<Name>>;
		topics?: Handlers;
		methods?: Methods;
		created?(): void;
		started?(): void | Promise<void>;
		stopped?(): void | Promise<void>;
	} & ThisType<Service & Methods & Publisher>
): ServiceSchema => schema as unknown as ServiceSchema;
