// The one thing of a contract that travels in a cookie: for browsers, whose scripts are not to see it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";
import { z } from "zod";
import type { ActionContract } from "../../define.ts";

export const REFRESH_COOKIE = "plaza_refresh";
/** Where it is sent to, and nowhere else. */
const PATH = "/api/auth";
const MAX_AGE_S = 30 * 24 * 60 * 60;

/** The field that the request's cookie stands for, if the action takes one: signing in only gives it, and must not mind an old one. */
export function fromCookie({ restCookie, params }: ActionContract, { headers }: IncomingMessage): Record<string, unknown> {
	if (!restCookie || !(params instanceof z.ZodObject) || !(restCookie in params.shape) || !headers.cookie) return {};
	const value = parseCookie(headers.cookie)[REFRESH_COOKIE];
	return value ? { [restCookie]: value } : {};
}

/**
 * Puts the answer's field into a cookie, or clears the cookie where the answer has none; answers what is left for the body. A client that is no
 * browser (it sends no Origin) has no use for cookies, and finds the field in the body as well. `isSecure`: the client came by TLS.
 */
export function toCookie(
	{ restCookie }: ActionContract,
	req: IncomingMessage,
	res: ServerResponse,
	answer: unknown,
	isSecure: boolean
) {
	if (!restCookie) return answer;
	const { [restCookie]: value, ...rest } = answer as Record<string, unknown>;
	const options = { path: PATH, httpOnly: true, secure: isSecure, sameSite: "strict" } as const;
	const cookie = typeof value === "string" ? { value, maxAge: MAX_AGE_S } : { value: "", maxAge: 0 };
	res.setHeader("Set-Cookie", stringifySetCookie({ name: REFRESH_COOKIE, ...cookie, ...options }));
	return req.headers.origin === undefined ? answer : rest;
}
