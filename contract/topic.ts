// The contract of one topic: what is on it, what keeps its order, and which sockets get its messages.
import type { z } from "zod";
import { wholeNumberIn } from "../mixins/topics/headers.ts";
import type { Headers } from "../mixins/topics/topic-log.ts";

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

/** The number of a change in a header, from 1 on; undefined where the header holds no such number: others can write to the topics too. */
export const numberIn = (header: string | undefined): number | undefined => wholeNumberIn(header, 1);

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
