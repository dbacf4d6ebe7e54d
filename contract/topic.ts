// The contract of one topic: its messages, the key that keeps them in order, and the clients that they are delivered to.
import type { z } from "zod";
import { wholeNumberIn } from "../mixins/topics/headers.ts";
import type { Headers } from "../mixins/topics/topic-log.ts";
import type { ActionContract } from "./action.ts";

/** A value that a frame carries, and its version: a socket never gets a lower version of a value after a higher one. */
export interface VersionedValue {
	key: string;
	version: number;
}

/** How a frame that carries latest values is versioned: frames of the same values replace each other while the client reads slowly. */
export interface Latest<Data> {
	versions: (data: Data, headers: Headers) => VersionedValue[];
	/** Returns the frame with outdated values replaced by the highest already sent to the socket; without it an outdated frame is not sent. */
	raise?: (data: Data, versionOf: (key: string) => number) => Data;
	/** The frame is sent even if it carries nothing new: a client waits for this answer. */
	always?: true;
}

/** Only `lookup`, `watchedList` and `roomSubscription` create these types: they check that the action exists and that the types fit. */
declare const checked: unique symbol;

/** The action that finds the user that a message does not name. Made by `lookup`. */
export interface Lookup<Message> {
	readonly [checked]: true;
	action: string;
	params: (message: Message) => object;
	/** The user's id in the action's result. An action that answers 404 means: no user. */
	id: (result: unknown) => string;
}

/** A list that sockets watch: each gets it once in full, and again when a message changes it, at most ten times a second. Made by `watchedList`. */
export interface WatchedList<Message> {
	readonly [checked]: true;
	/** The frame `{"code":"watch","data":{"<name>":true}}` starts it. */
	name: string;
	/** The action that answers the whole list. It has no parameters. */
	snapshot: string;
	apply: (list: unknown, message: Message) => unknown;
	latest: Latest<unknown>;
}

/**
 * Rooms that Socket.IO clients enter by `subscribe:<name>` and leave by `unsubscribe:<name>`. The acknowledgement carries the room's state as it is now
 * (`{"ok":true,"<name>":<snapshot>}`); then the client gets every event with a higher version, in order and once. Made by `roomSubscription`.
 */
export interface RoomSubscription<Message> {
	readonly [checked]: true;
	name: string;
	/** The action that answers the room's state. Clients must be allowed to call it (`who`). */
	snapshot: string;
	/** What clients send with both events. */
	data: z.ZodType;
	/** The params of the snapshot's action. */
	params: (data: unknown) => object;
	/** The room that the client's data names; a message goes to the same room. */
	room: (of: Message) => string;
	/** The version of a snapshot and of a message; those of one room rise with each change. */
	versionOf: (of: Message) => number;
}

/** Every connection of one user. Where the message does not name one, the lookup finds it; without a lookup the message goes to no user. */
export interface UserRecipient<Message> {
	user: (message: Message) => string | undefined;
	lookup?: Lookup<Message>;
}

/** Every connection that has entered one room. */
export interface RoomRecipient<Message> {
	room: (message: Message) => string;
}

/** Every Socket.IO client; every admin who watches the dashboard. On /ws there is neither, so they get events only. */
type EventRecipient = "everyone" | "admins";
type Recipient<Message> = UserRecipient<Message> | RoomRecipient<Message>;
type Fields = "frame" | "event" | "payload" | "orderOnly" | "latest";
/** These fields and none of the others. */
type Exactly<Shape> = Shape extends unknown ? Shape & { [Field in Exclude<Fields, keyof Shape>]?: undefined } : never;
/** What is sent instead of the message; undefined: nothing is sent. */
type Payload<Message> = (message: Message) => object | undefined;

/**
 * Who gets a topic's messages (`to`), under which name (`frame`: the code on /ws, `event`: the name on Socket.IO), and as what:
 * - a plain message on /ws, and with `event` on Socket.IO too: each message is sent once;
 * - a plain message on Socket.IO only;
 * - the number of a change alone (`orderOnly`): nothing is sent, but later changes do not wait for this one;
 * - latest values on /ws: a newer frame replaces an older one that is not sent yet;
 * - a watched list on /ws, sent when the message changes it;
 * - a plain message on Socket.IO for the subscribers of a room, after their snapshot of it.
 */
export type Delivery<Message> = Exactly<
	| { to: Recipient<Message>; frame: string; event?: string; payload?: Payload<Message> }
	| { to: Recipient<Message> | EventRecipient; event: string; payload?: Payload<Message> }
	| { to: Recipient<Message> | EventRecipient; orderOnly: true }
	| { to: Recipient<Message>; frame: string; latest: Latest<Message> }
	| { to: { watchersOf: WatchedList<Message> }; frame: string }
	| { to: { subscribersOf: RoomSubscription<Message> }; event: string; payload?: Payload<Message> }
>;

/** One change of a thing that topics report. */
export interface Change {
	/** The thing that changed. */
	key: string;
	/** Its changes are numbered from 1 without gaps. */
	seq: number;
	/**
	 * How long after the previous change this one was made. Only where several topics report changes of the thing: those of one topic arrive in order.
	 * Example: `order.created` reports change 1 of an order, and `order.updated` change 2, made 20 ms later. If `order.updated` arrives first,
	 * it waits a short time for change 1; had it been made a minute later, it would not wait.
	 */
	afterMs?: number;
}

/** The positive whole number in a header; undefined where there is none: foreign clients write to the topics too. */
export const numberIn = (header: string | undefined): number | undefined => wholeNumberIn(header, 1);

export interface TopicContract<M extends z.ZodType = z.ZodType> {
	message: M;
	/** Messages with one key stay in order, and have one handler at a time. */
	key: (message: z.output<M>) => string;
	deliveries?: readonly Delivery<z.output<M>>[];
	/**
	 * Returns the thing that changed and the change's number; used to send each change once and in order, across topics.
	 * Undefined for a foreign record without a number: it is sent at once.
	 */
	change?: (message: z.output<M>, headers: Headers) => Change | undefined;
	/** Socket.IO clients may name it in `subscribe:<name>`, which is acknowledged; they get the events even if they do not subscribe. */
	subscription?: string;
	/** Records older than this may be deleted. Default 7 days. */
	retentionMs?: number;
}

/** Declares one topic. */
export const topic = <M extends z.ZodType>(contract: TopicContract<M>) => contract;

type Params<Action> = Action extends ActionContract<infer P> ? z.input<P> : never;
type Result<Action> = Action extends ActionContract<z.ZodType, infer R> ? z.output<R> : never;

/** Looks a user up with an action of these contracts; an unknown name, or parameters that do not fit, do not compile. */
export const lookup = <Actions, Name extends keyof Actions & string, Message>(
	_actions: Actions,
	action: Name,
	{ params, id }: { params: (message: Message) => Params<Actions[Name]> & object; id: (result: Result<Actions[Name]>) => string }
): Lookup<Message> => ({ action, params, id }) as unknown as Lookup<Message>;

/** A watched list whose snapshot is an action of these contracts; an unknown name, or an action that needs parameters, does not compile. */
export const watchedList = <Actions, Name extends keyof Actions & string, Message>(
	name: string,
	_actions: Actions,
	snapshot: Record<never, never> extends Params<Actions[Name]> ? Name : never,
	{
		apply,
		latest
	}: {
		apply: (list: Result<Actions[Name]>, message: Message) => Result<Actions[Name]>;
		latest: Latest<Result<Actions[Name]>>;
	}
): WatchedList<Message> => ({ name, snapshot, apply, latest }) as unknown as WatchedList<Message>;

/**
 * A subscription to rooms, whose snapshot is an action of these contracts; an unknown name, or types that do not fit, do not compile. `room` takes the
 * client's data and the topic's messages, `versionOf` the action's results and the messages: annotate their parameters.
 */
export const roomSubscription = <Actions, Name extends keyof Actions & string, Data extends z.ZodType, InRoom, Versioned>(
	name: string,
	_actions: Actions,
	snapshot: Name,
	{
		data,
		params,
		room,
		versionOf
	}: {
		data: Data;
		params: (data: z.output<Data>) => Params<Actions[Name]> & object;
		room: ((of: InRoom) => string) & ((data: z.output<Data>) => string);
		versionOf: ((of: Versioned) => number) & ((snapshot: Result<Actions[Name]>) => number);
	}
): RoomSubscription<InRoom & Versioned> =>
	({ name, snapshot, data, params, room, versionOf }) as unknown as RoomSubscription<InRoom & Versioned>;
