// The JSON in a request's body. Its text is accepted exactly as it was sent or refused: a repaired id would be another id.
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { MIMEType } from "node:util";
import { Errors } from "moleculer";
import { invalid } from "../../mixins/errors.ts";
import { JSON_LIMITS, readJson, textErrors } from "../../mixins/json-text.ts";

/** Whether the Content-Type of a request is JSON, in any charset. */
export const isJson = ({ headers }: IncomingMessage) => /^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "");

/** Each parameter costs time to parse, and a header has room for thousands. */
const MAX_CONTENT_TYPE_LENGTH = 256;

function isUtf8Charset(contentType = ""): boolean {
	if (contentType === "application/json") return true;
	if (contentType.length > MAX_CONTENT_TYPE_LENGTH) return false;
	try {
		return /^utf-?8$/i.test(new MIMEType(contentType).params.get("charset") ?? "utf-8");
	} catch {
		return false;
	}
}

const unreadable = (why: string) => new Errors.MoleculerClientError(`The body ${why}`, 400, "UNREADABLE_JSON");

/**
 * Parses the bytes of a JSON body; an empty body is `{}`. Throws 415 `UNSUPPORTED_MEDIA_TYPE` for another charset than UTF-8, 400 `UNREADABLE_JSON` for a
 * body that is not UTF-8, not JSON, too deep or of more than `maxValues` values, and 422 `VALIDATION_ERROR` for text that cannot be stored as it was sent.
 */
export function jsonBody({ headers, body }: IncomingMessage & { body?: Buffer }, maxValues = JSON_LIMITS.maxValues): unknown {
	if (body === undefined || body.length === 0) return {};
	if (!isUtf8Charset(headers["content-type"]))
		throw new Errors.MoleculerClientError("Send JSON as UTF-8", 415, "UNSUPPORTED_MEDIA_TYPE");
	if (!isUtf8(body)) throw unreadable("is not UTF-8");
	const text = body.toString();
	const read = readJson(text, { ...JSON_LIMITS, maxValues });
	if (read.unreadable !== undefined) throw unreadable(read.unreadable);
	const errors = textErrors(text, read.value);
	if (errors.length > 0) throw invalid(errors);
	return read.value;
}
