// Ties a service's code to its contract: one schema gives the static type, the run-time check and the published documents.
import type { CallingOptions, Context, Service, ServiceSchema } from "moleculer";
import { z } from "zod";
import type * as topics from "./mixins/topics/received.ts";
import type { Headers } from "./mixins/topics/topic-log.ts";
import type { ActionsOf, actions, topics as declared } from "./services/contract.ts";

const CONTROL = /\p{Cc}/u;
/** The same for JSON Schema, whose readers do not all know Unicode's classes by name. */
export const NO_CONTROL = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/** A text id from outside: opaque, 1 to 64 UTF-16 units, no control characters, no half of a surrogate pair (a store would make two ids of it one). */
export const Id = z
	.string()
	// In UTF-16 units, as JavaScript and Java count: zod's own max counts characters, and its min speaks of arrays too.
	.refine(text => text.length > 0, "must not be empty")
	.refine(text => text.length <= 64, "must be at most 64 characters long")
	.refine(text => text.isWellFormed(), "must be well-formed Unicode")
	.refine(text => !CONTROL.test(text), "must not contain control characters")
	// What the checks above say, as far as JSON Schema can: it counts characters.
	.meta({
		id: "Id",
		description: "A text id: 1 to 64 UTF-16 units, well-formed, without control characters",
		minLength: 1,
		maxLength: 64,
		pattern: NO_CONTROL
	});

/** `owner`: whoever may act as the action's `actor`; `account`: whoever is signed in. */
export type Who = "anyone" | "owner" | "account" | "admin";

/** Who asks, as a verified token says. Set on `ctx.meta.caller` by the gateway and the sockets alone. */
export interface Identity {
	/** The account's id. */
	id: string;
	role: "user" | "admin";
	/** The sign-in that the token belongs to. */
	session: string;
	/** When the token ends, in ms since 1970. */
	expiresAtMs: number;
}

export interface ActionContract<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
	params: P;
	result: R;
	/** What it does, in a sentence, for the published documents. */
	summary?: string;
	/** Types of the refusals of its own, beside those that every door knows (see docs/security.md). */
	errors?: readonly ("CONFLICT" | "NOT_FOUND" | "UNAUTHORIZED")[];
	/** A request and its answer, for the published documents. */
	example?: { params: z.input<P>; result: z.input<R> };
	/** Who may ask from outside; no door leads to an action without it. */
	who?: Who;
	/** Reachable from outside as this route, e.g. `POST /api/purchases`. */
	rest?: `${"GET" | "POST" | "PATCH"} /${string}`;
	/** HTTP status of a good answer. Default 200. */
	status?: number;
	/** The HTTP header that may stand for a field of the body, e.g. `{ "idempotency-key": "id" }`. */
	restHeaders?: Record<string, string>;
	/** This field of the request and of the answer may travel in an HTTP-only cookie; an answer without it clears the cookie. */
	restCookie?: string;
	/** Reachable on /ws by a frame without a `code`; the answer goes back under this one. */
	replyCode?: string;
	/** The user whose business the call is. */
	actor?: (params: z.output<P>) => string;
}

/** Declares one action: what goes in, what comes out, and by which doors. */
export const action = <P extends z.ZodType, R extends z.ZodType>(contract: ActionContract<P, R>) => contract;

/** A value that a frame shows, and its version: of two frames of one value a socket is never sent the lower after the higher. */
export interface Shown {
	key: string;
	version: number;
}

/** What a frame shows, where it shows values that move: the socket conflates them and never goes back to a lower version. */
export interface Latest<Data> {
	shows: (data: Data, headers: Headers) => Shown[];
	/** The same frame with its values raised to what the socket has seen already; without it a frame that shows less is left out. */
	raise?: (data: Data, versionOf: (key: string) => number) => Data;
	/** Sent even if it shows nothing new: somebody waits for the answer. */
	always?: true;
}

export interface Push<Message> {
	/** Whose sockets get it. */
	user: (message: Message) => string;
	/** The frame's `code`; its `data` is the message. */
	code: string;
	/** Without it every message is its own news. */
	latest?: Latest<Message>;
}

/** A list that any socket may watch: sent whole at once, and again when a message of the topic moves it, ten times a second at most. */
export interface Feed<Message> {
	/** `{"code":"watch","data":{"<name>":true}}` starts it. */
	name: string;
	code: string;
	/** The action that answers the list. */
	snapshot: string;
	// biome-ignore lint/suspicious/noExplicitAny: the list's shape is the snapshot action's
	apply: (list: any, message: Message) => unknown;
	// biome-ignore lint/suspicious/noExplicitAny: the list's shape is the snapshot action's
	latest: Latest<any>;
}

/** One change of something that topics tell of. */
export interface Change {
	/** The thing that changed. */
	key: string;
	/** Its changes are numbered from 1 on, without gaps. */
	seq: number;
	/** How long after the one before it this one was made. Only where other topics tell of its changes too: those of one topic come in order anyway. */
	afterMs?: number;
}

/** The number of a change as a header says it; undefined where it says none that could be ours: others can write to the topics too. */
export const numberIn = (header: string | undefined): number | undefined =>
	header !== undefined && /^[1-9]\d{0,14}$/.test(header) ? Number(header) : undefined;

/** Which Socket.IO clients hear of a topic's messages, under which event's name. The payload is the message, unchanged. */
export interface Live<Message> {
	/** `subscribe:<name>` is acknowledged; what is somebody's own reaches them without it too. */
	subscription: string;
	/** The event for every client. */
	all?: string;
	/** The event for one user's clients. */
	user?: {
		event: string;
		/** Undefined where the message does not say: then it is asked for. */
		id: (message: Message) => string | undefined;
		ask?: { action: string; params: (message: Message) => object; id: (answer: never) => string };
	};
	/** The event for the admins who watch the dashboard. Without one they hear nothing of it, but what comes after it keeps its place. */
	admins?: string;
	/** What the admins are told beside it, as `admin:alert`. */
	alert?: (message: Message) => object | undefined;
	/** Undefined for a record that was not numbered by us: then it is passed on as it comes. */
	change: (message: Message, headers: Headers) => Change | undefined;
}

export interface TopicContract<M extends z.ZodType = z.ZodType> {
	message: M;
	/** Messages with one key stay in order, and have one handler at a time. */
	key: (message: z.output<M>) => string;
	push?: Push<z.output<M>>;
	feed?: Feed<z.output<M>>;
	live?: Live<z.output<M>>;
	/** Records older than this may go. Default 7 days. */
	retentionMs?: number;
}

/** Declares one topic: what is on it, what keeps its order, and who is shown it. */
export const topic = <M extends z.ZodType>(contract: TopicContract<M>) => contract;

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
