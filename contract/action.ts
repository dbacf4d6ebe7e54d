// The contract of one action: one schema gives the static type, the run-time check and the published documents.
import type { z } from "zod";

/** `owner`: the account whose id `actor` returns, or a guest under a free id; `account`: every signed-in caller. */
export type Who = "anyone" | "owner" | "account" | "admin";

/** The caller, from a verified token. Only the gateway and the sockets set it on `ctx.meta.caller`. */
export interface Identity {
	/** The account's id. */
	id: string;
	role: "user" | "admin";
	/** The id of the session that the token belongs to. */
	session: string;
	/** When the token expires, in ms since 1970. */
	expiresAtMs: number;
}

/** Errors that several services have. */
export type SharedError = "CONFLICT" | "NOT_FOUND" | "UNAUTHORIZED";

/** An error that only one service has. `when` it occurs, for the published documents. */
export interface OwnError {
	type: string;
	status: 403 | 409;
	when: string;
}

export interface ActionContract<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
	params: P;
	result: R;
	/** One sentence for the published documents. */
	summary?: string;
	/** The action's errors, in addition to those of every route (see docs/security.md). */
	errors?: readonly (SharedError | OwnError)[];
	/** An example for the published documents. */
	example?: { params: z.input<P>; result: z.input<R> };
	/** Who may call the action from outside; without it, only other services and the operator can. */
	who?: Who;
	/** The HTTP route, such as `POST /api/purchases`. The params of a GET are in its path and query, those of all others in the path and the JSON body. */
	rest?: `${"GET" | "POST" | "PUT" | "PATCH" | "DELETE"} /${string}`;
	/** HTTP status of a success. Default 200. With 204 the response has no body, whatever the result is: declare `z.null()`. */
	status?: number;
	/**
	 * Of a GET that anyone may call and whose result depends on its params alone: the entity tag of a result, as visible ASCII without quotes, for example its
	 * version. A client that sends the tag in `If-None-Match` gets 304 without a body. Concurrent requests with equal params share one call, which has no
	 * caller, and responses with the same tag one serialised text. A large response counts as several requests of its client's address.
	 */
	etag?: (result: z.output<R>) => string;
	/**
	 * The largest JSON body, where the limits of all other actions (64 KiB and 2,000 values) are too low. Only with `who: "admin"`: nobody else can make the
	 * server read such a body. Each started KiB counts as one request, all together at most as a full burst; a compressed body has at most 64 KiB.
	 */
	maxBody?: { bytes: number; values: number };
	/** HTTP headers that may replace a field of the body, such as `{ "idempotency-key": "id" }`. */
	restHeaders?: Record<string, string>;
	/** The field of the request and of the response that an HTTP-only cookie may carry; a response without the field clears the cookie. */
	restCookie?: string;
	/** The `code` of the response frame on /ws; the request is a frame without a `code`. */
	replyCode?: string;
	/** The user that the call acts for. */
	actor?: (params: z.output<P>) => string;
	/**
	 * How many requests a call counts as in the limits of its client address and its account, if it costs much more than other calls of its size. The params
	 * are not validated yet.
	 */
	cost?: (params: unknown) => number;
}

/** Declares one action: its params, its result, and how it is called from outside. */
export const action = <P extends z.ZodType, R extends z.ZodType>(contract: ActionContract<P, R>) => contract;
