// The refresh token's cookie: browsers store the token where scripts cannot read it.
import type { IncomingMessage, ServerResponse } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";
import { z } from "zod";
import type { ActionContract } from "../../contract/action.ts";
import { isAllowedOrigin } from "../../runtime/http/origin.ts";

export const REFRESH_COOKIE = "plaza_refresh";
/** Browsers send the cookie to this path only. */
const PATH = "/api/auth";
const MAX_AGE_S = 30 * 24 * 60 * 60;

/** The field that the request's cookie carries, if the action has it as a param: login and register only set the cookie and ignore an old one. */
export function fromCookie({ restCookie, params }: ActionContract, { headers }: IncomingMessage): Record<string, unknown> {
	if (!restCookie || !(params instanceof z.ZodObject) || !(restCookie in params.shape) || !headers.cookie) return {};
	// Only our cookie is parsed: each cookie costs time, and a header has room for thousands.
	const own = headers.cookie.split(";").find(cookie => cookie.trimStart().startsWith(`${REFRESH_COOKIE}=`));
	const value = own && parseCookie(own)[REFRESH_COOKIE];
	return value ? { [restCookie]: value } : {};
}

function setCookie(res: ServerResponse, value: string | undefined, isSecure: boolean) {
	const options = { path: PATH, httpOnly: true, secure: isSecure, sameSite: "strict" } as const;
	const cookie = value === undefined ? { value: "", maxAge: 0 } : { value, maxAge: MAX_AGE_S };
	res.setHeader("Set-Cookie", stringifySetCookie({ name: REFRESH_COOKIE, ...cookie, ...options }));
}

/** Clears the cookie of a request that was rejected because of it: it would be rejected every time. */
export function dropCookie(contract: ActionContract, req: IncomingMessage, res: ServerResponse, isSecure: boolean) {
	if (Object.keys(fromCookie(contract, req)).length > 0) setCookie(res, undefined, isSecure);
}

/**
 * Moves the response's field into a cookie, or clears the cookie if the response does not have the field; returns the body. Only responses to our
 * own pages omit the field from the body: a client that is no browser (no Origin header) does not use cookies, and pages of other sites do not
 * get ours (SameSite). `isSecure`: the client used TLS.
 */
export function toCookie(
	{ restCookie }: ActionContract,
	req: IncomingMessage,
	res: ServerResponse,
	response: unknown,
	isSecure: boolean
) {
	if (!restCookie) return response;
	const { [restCookie]: value, ...rest } = response as Record<string, unknown>;
	setCookie(res, typeof value === "string" ? value : undefined, isSecure);
	const isOurPage = req.headers.origin !== undefined && isAllowedOrigin(req, [], isSecure);
	return isOurPage ? rest : response;
}
