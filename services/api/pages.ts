// The pages in `public/`: their URLs and their headers.
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import ApiGateway from "moleculer-web";
import { notFound, preconditionFailed, rangeNotSatisfiable } from "../../runtime/http/http-error.ts";

/** URL path → file in `public/`, where the two differ. */
const FILES = new Map([
	["/products", "/products.html"],
	["/orders", "/orders.html"],
	["/shows", "/shows.html"],
	["/admin", "/admin.html"],
	["/admin/orders", "/admin-orders.html"]
]);

/** The pages load only scripts, styles, images and sockets of their own origin, and no script can turn text into code. */
const PAGE_POLICY = [
	"default-src 'none'",
	...["script-src", "style-src", "img-src", "connect-src"].map(source => `${source} 'self'`),
	...["base-uri", "form-action", "frame-ancestors"].map(never => `${never} 'none'`),
	"require-trusted-types-for 'script'",
	"trusted-types 'none'"
].join("; ");

const PUBLIC_DIR = join(import.meta.dirname, "../../public");

/** Rewrites a request's URL to the file below `public/`; the query stays. */
export function fileUrlOf(url: string): string {
	const [path = "", ...query] = url.split("?");
	return [FILES.get(path) ?? path, ...query].join("?");
}

export const setPageHeaders = (res: ServerResponse) => {
	res.setHeader("Content-Security-Policy", PAGE_POLICY);
	// Browsers may store the file, but must revalidate it by its ETag each time.
	res.setHeader("Cache-Control", "no-cache");
};

/** Our errors for those of serve-static, by their status. */
const FILE_ERRORS = new Map<unknown, object>([
	[404, notFound],
	[412, preconditionFailed],
	[416, rangeNotSatisfiable]
]);
type Fail = (req: IncomingMessage, res: ServerResponse, error: Error) => void;

/**
 * The middleware that serves the files in `public/`, with ETags and ranges; it calls `next` if there is no such file. `fail` answers a request whose
 * condition or range does not match the file: moleculer-web's own middleware would answer 404.
 */
export function pageFiles(fail: Fail) {
	const serve = ApiGateway.serveStatic(PUBLIC_DIR, { dotfiles: "ignore", redirect: false, setHeaders: setPageHeaders });
	return (req: IncomingMessage, res: ServerResponse, next: () => void) => {
		// Several ranges get the whole file anyway, and each costs time to parse.
		if (req.headers.range?.includes(",")) delete req.headers.range;
		serve(req, res, (error?: Error & { status?: number }) => {
			if (!error) return next();
			fail(req, res, (FILE_ERRORS.get(error.status) ?? error) as Error);
		});
	};
}
