// The pages in `public/`: their URLs and their headers.
import type { ServerResponse } from "node:http";
import { join } from "node:path";

/** URL path → file in `public/`, where the two differ. */
const FILES = new Map([
	["/products", "/products.html"],
	["/orders", "/orders.html"],
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

export const PUBLIC_DIR = join(import.meta.dirname, "../../public");

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
