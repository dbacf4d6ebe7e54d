// The one thing of a contract that travels in a cookie: for browsers, whose scripts are not to see it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { isAllowedOrigin } from "../../runtime/http/origin.ts";

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

function setCookie(res: ServerResponse, value: string | undefined, isSecure: boolean) {
	const options = { path: PATH, httpOnly: true, secure: isSecure, sameSite: "strict" } as const;
	const cookie = value === undefined ? { value: "", maxAge: 0 } : { value, maxAge: MAX_AGE_S };
	res.setHeader("Set-Cookie", stringifySetCookie({ name: REFRESH_COOKIE, ...cookie, ...options }));
}

/** Takes back the cookie of a request that was refused for what is in it: it would be refused each time. */
export function dropCookie(contract: ActionContract, req: IncomingMessage, res: ServerResponse, isSecure: boolean) {
	if (Object.keys(fromCookie(contract, req)).length > 0) setCookie(res, undefined, isSecure);
}

/**
 * Puts the answer's field into a cookie, or clears the cookie where the answer has none; answers what is left for the body. Only our own
 * page does without the field in the body: a client that is no browser (it sends no Origin) has no use for cookies, and a page of another site gets none
 * of ours (SameSite). `isSecure`: the client came by TLS.
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
	setCookie(res, typeof value === "string" ? value : undefined, isSecure);
	const isOurPage = req.headers.origin !== undefined && isAllowedOrigin(req, [], isSecure);
	return isOurPage ? rest : answer;
}
