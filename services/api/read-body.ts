import type { IncomingMessage, ServerResponse } from "node:http";
import ApiGateway from "moleculer-web";
import { isJson } from "./json-body.ts";

const { bodyParser } = ApiGateway;

/**
 * Reads the bytes of a JSON body, decompressed, into `req.body`; a body that is not JSON stays unread. Rejects with the errors of body-parser that
 * runtime/http/http-error.ts knows: most often that there are more than `maxBytes`.
 */
export const readBody = (req: IncomingMessage, res: ServerResponse, maxBytes: number) =>
	new Promise<void>((resolve, reject) => {
		// body-parser would take a body whose client has left for an empty one.
		if (req.destroyed && !req.complete) return reject(Object.assign(new Error("request aborted"), { type: "request.aborted" }));
		// Only reads: body-parser's own JSON decodes other charsets, and replaces what is not UTF-8.
		const read = bodyParser.raw({ limit: maxBytes, type: isJson });
		read(req, res, (error?: Error) => (error ? reject(error) : resolve()));
	});
