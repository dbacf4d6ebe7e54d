// Entity tags: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.3
import type { IncomingMessage, ServerResponse } from "node:http";

const TAGS = /(?:W\/)?("[^"]*")/g;

/** Whether the client has the response with this tag (in its quotes) already: `If-None-Match` is `*` or lists it, as a strong or a weak one. */
export function isFresh({ headers }: Pick<IncomingMessage, "headers">, tag: string): boolean {
	const { "if-none-match": known } = headers;
	if (known === undefined) return false;
	return known.trim() === "*" || [...known.matchAll(TAGS)].some(([, one]) => one === tag);
}

/** Sets the headers of a response with this tag. Returns whether the response was 304, because the client has it already. */
export function sendTag(req: IncomingMessage, res: ServerResponse, tag: string): boolean {
	res.setHeader("ETag", tag);
	// Browsers may store the response, but must revalidate it by its ETag each time.
	res.setHeader("Cache-Control", "no-cache");
	if (!isFresh(req, tag)) return false;
	res.writeHead(304).end();
	return true;
}
