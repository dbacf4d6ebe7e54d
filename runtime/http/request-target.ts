// The target of a request: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
import type { IncomingMessage } from "node:http";
import { badRequest, type HttpError, uriTooLong } from "./http-error.ts";

const MAX_TARGET_LENGTH = 8 * 1024;
/** Each field of a query costs time to parse, and a target has room for thousands. */
const MAX_QUERY_FIELDS = 100;
/** Visible ASCII without a fragment. Node decodes other bytes as Latin-1, which would be another text. */
const ORIGIN_FORM = /^\/[!"$-~]*$/;
const ABSOLUTE_FORM = /^https?:\/\/([^/?@]+)([/?].*)?$/i;
const unreadable = badRequest("The request target cannot be read");
const tooManyFields = badRequest(`The query has more than ${MAX_QUERY_FIELDS} fields`);

function hasTooManyFields(target: string): boolean {
	let fields = 1;
	for (let at = target.indexOf("&"); at !== -1; at = target.indexOf("&", at + 1)) if (++fields > MAX_QUERY_FIELDS) return true;
	return false;
}

/** Decoders replace what is not UTF-8 by U+FFFD, which would make two texts one. */
export const isDecodable = (target: string) => {
	try {
		decodeURIComponent(target);
		return true;
	} catch {
		return false;
	}
};

/** The path of a request whose target was accepted. */
export const pathOf = ({ url = "/" }: Pick<IncomingMessage, "url">): string => {
	const end = url.indexOf("?");
	return end === -1 ? url : url.slice(0, end);
};

/**
 * Whether a path has no empty segment (so no slash at its end, except `/` itself), no `.` and no `..`. The handlers of files and actions read other paths
 * in different ways, so all of those are 404.
 */
export const isNormalPath = (path: string): boolean => path === "/" || !/\/(\/|\.{0,2}$|\.{1,2}\/)/.test(path);

/**
 * Rewrites a target in absolute-form (`GET http://host/path`) to origin-form, with its host as the Host header. Returns the error of a target that is
 * too long (414), whose path cannot be read or whose query has too many fields (400); undefined for all others. A field of the query that cannot be
 * decoded is an error only for the route that reads it.
 */
export function acceptTarget(req: IncomingMessage): HttpError | undefined {
	let { url = "/" } = req;
	if (url.length > MAX_TARGET_LENGTH) return uriTooLong;
	if (url === "*" && req.method === "OPTIONS") return undefined;
	const [, host, rest = ""] = url.startsWith("/") ? [] : (ABSOLUTE_FORM.exec(url) ?? []);
	if (host !== undefined) {
		url = rest.startsWith("/") ? rest : `/${rest}`;
		req.headers.host = host;
		req.url = url;
	}
	if (!ORIGIN_FORM.test(url)) return unreadable;
	if (hasTooManyFields(url)) return tooManyFields;
	const path = pathOf({ url });
	return path.includes("%") && !isDecodable(path) ? unreadable : undefined;
}
