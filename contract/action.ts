// The contract of one action: one schema gives the static type, the run-time check and the published documents.
import type { z } from "zod";

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
