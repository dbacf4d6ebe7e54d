// Pages by the paths that people see.
const FILES = new Map([
	["/products", "/products.html"],
	["/orders", "/orders.html"],
	["/admin", "/admin.html"],
	["/admin/orders", "/admin-orders.html"]
]);

/** Where a request's URL leads within `public/`. */
export function withinPublic(url: string): string {
	const [path = "", ...query] = url.split("?");
	return [FILES.get(path) ?? path, ...query].join("?");
}
