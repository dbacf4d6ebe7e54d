// Fills a system by calls with the operator's rights. Existing data stays as it is.
import { randomBytes } from "node:crypto";
import type { Identity } from "../contract/action.ts";
import type { ServiceName } from "../services/contract.ts";
import type { Caller } from "../services/define-service.ts";
import type { Status } from "../services/orders/orders.contract.ts";
import type { Role, User } from "../services/users/users.contract.ts";
import { goods } from "./goods.ts";
import { eveningIn, hallSeats } from "./halls.ts";

/** The services whose actions are called here. */
export const FILLED: ServiceName[] = ["users", "products", "orders", "seats"];

type Call = Caller["call"];

const SHOW = "An evening by the sea";
const BUYERS = ["Ada", "Blaise", "Carl", "Emmy"];
// biome-ignore format: one order a line
/** The orders of each buyer, with their final status. */
const ORDERS: { lines: [good: number, quantity: number][]; status: Status }[] = [
	{ lines: [[0, 2], [3, 1]], status: "delivered" },
	{ lines: [[8, 4]], status: "shipped" },
	{ lines: [[1, 1], [5, 2], [17, 3]], status: "processing" },
	{ lines: [[11, 6]], status: "cancelled" },
	{ lines: [[14, 1], [2, 1]], status: "pending" }
];
const STEPS: Status[] = ["processing", "shipped", "delivered"];

const isRefusal = (error: unknown, type: string) => (error as { type?: string }).type === type;
const sessionOf = ({ id, role }: User): Identity => ({ id, role, session: "demo", expiresAtMs: Number.MAX_SAFE_INTEGER });
/** Call options of a signed-in user, as the gateway sets them for a verified token. */
const actingAs = (user: User) => ({ meta: { caller: sessionOf(user) } });

/** The number of new items by kind. */
type Made = Map<string, number>;
const count = (made: Made, what: string, more = 1) => {
	if (more > 0) made.set(what, (made.get(what) ?? 0) + more);
};

/** The account of this address. Creates it if there is none, with what `password` returns; an existing account stays as it is. */
export async function ensureAccount(
	call: Call,
	email: string,
	name: string,
	role: Role,
	password: () => Promise<string> | string
): Promise<{ user: User; isNew: boolean }> {
	try {
		return { ...(await call("users.find", { email })), isNew: false };
	} catch (error) {
		if (!isRefusal(error, "NOT_FOUND")) throw error;
	}
	return { ...(await call("users.create", { email, name, role, password: await password() })), isNew: true };
}

/** Creates missing products. Returns the ids of all goods, in their order. */
async function ensureProducts(call: Call, made: Made): Promise<string[]> {
	for (const good of goods) {
		try {
			await call("products.create", good);
			count(made, "products");
		} catch (error) {
			if (!isRefusal(error, "CONFLICT")) throw error;
		}
	}
	const ids = new Map<string, string>();
	for (let after: string | undefined; ; ) {
		const page = await call("products.list", { limit: 200, after });
		for (const { sku, productId } of page) ids.set(sku, productId);
		after = page.at(-1)?.productId;
		if (page.length < 200) return goods.map(({ sku }) => ids.get(sku)!);
	}
}

/** Creates the show unless there is one of this name. */
async function ensureShow(call: Call, admin: User, made: Made) {
	for (let after: string | undefined; ; ) {
		const page = await call("seats.shows", { limit: 200, after });
		if (page.some(({ name }) => name === SHOW)) return;
		after = page.at(-1)?.showId;
		if (page.length < 200) break;
	}
	await call("seats.createShow", { name: SHOW, startsAt: eveningIn(30), seats: hallSeats }, actingAs(admin));
	count(made, "show");
}

async function ensureOrder(call: Call, buyer: User, admin: User, products: string[], n: number) {
	const { lines, status } = ORDERS[n]!;
	const order = {
		items: lines.map(([good, quantity]) => ({ productId: products[good]!, quantity })),
		shippingAddress: { name: buyer.name, street: `${n + 1} Harbour Street`, city: "18536 Piraeus", country: "Greece" },
		// A repeated seed gets the same order.
		idempotencyKey: `demo-${n}`
	};
	const { orderId } = await call("orders.create", order, actingAs(buyer));
	const now = await call("orders.get", { id: orderId }, actingAs(admin));
	// The status of an existing order was changed by a user: keep it.
	if (now.status !== "pending") return;
	const steps = status === "cancelled" ? [status] : STEPS.slice(0, STEPS.indexOf(status) + 1);
	for (const step of steps) await call("orders.setStatus", { id: orderId, status: step }, actingAs(admin));
}

/** Creates the products, a show, buyers and their orders, as far as they are missing. Resolves to the number of new items by kind. */
export async function fill(call: Call, admin: User): Promise<Map<string, number>> {
	const made: Made = new Map();
	const products = await ensureProducts(call, made);
	await ensureShow(call, admin, made);
	for (const name of BUYERS) {
		const email = `${name.toLowerCase()}@demo.example.org`;
		const password = () => randomBytes(24).toString("base64url");
		const { user: buyer, isNew } = await ensureAccount(call, email, name, "user", password);
		if (isNew) count(made, "buyers");
		const before = (await call("orders.list", { limit: 200 }, actingAs(buyer))).length;
		for (const n of ORDERS.keys()) await ensureOrder(call, buyer, admin, products, n);
		count(made, "orders", (await call("orders.list", { limit: 200 }, actingAs(buyer))).length - before);
	}
	return made;
}
