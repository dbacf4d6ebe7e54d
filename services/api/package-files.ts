// The files of npm packages that the pages load, each under its own path. They are read once, so that no request path reaches node_modules.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { RequestListener, ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { preconditionFailed, sendError } from "../../runtime/http/http-error.ts";
import { sendTag } from "./etag.ts";

const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";
const FILES = [
	{ path: "/vendor/socket.io.js", of: "socket.io-client", file: "dist/socket.io.esm.min.js", type: SCRIPT },
	{ path: "/vendor/uplot.js", of: "uplot", file: "dist/uPlot.esm.js", type: SCRIPT },
	{ path: "/vendor/uplot.css", of: "uplot", file: "dist/uPlot.min.css", type: STYLE }
];

const read = (name: string, file: string) =>
	readFileSync(join(dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`))), file));

/**
 * The listeners of these files, by path. `setHeaders` sets the headers of the pages; `gateway` answers other methods than GET and HEAD. Throws if a
 * package is not installed.
 */
export function packageFiles(
	setHeaders: (res: ServerResponse) => void,
	gateway: RequestListener
): [path: string, answer: RequestListener][] {
	return FILES.map(({ path, of, file, type }) => {
		const text = read(of, file);
		const etag = `"${createHash("sha256").update(text).digest("base64url")}"`;
		return [
			path,
			(req, res) => {
				if (req.method !== "GET" && req.method !== "HEAD") return gateway(req, res);
				const { "if-match": required } = req.headers;
				if (required !== undefined && required !== "*" && !required.includes(etag)) return sendError(res, preconditionFailed);
				setHeaders(res);
				if (sendTag(req, res, etag)) return;
				res.writeHead(200, { "Content-Type": type, "Content-Length": text.length }).end(text);
			}
		];
	});
}
