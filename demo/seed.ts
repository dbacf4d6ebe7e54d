/**
 * Fills an empty system, so that its pages have something to show: an admin, twenty products, a show, a few buyers and their orders.
 *
 *     npm run demo:seed [-- --email admin@example.org]
 *
 * The admin's password is DEMO_ADMIN_PASSWORD, or is read from the terminal; there is no default. The buyers' passwords are random and not kept.
 * Existing data stays as it is: a second run adds nothing.
 */
import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import type { Identity } from "../contract/action.ts";
import { exitWithError, exitWithUsage } from "../runtime/exit-with-error.ts";
import { printHelpIfAsked } from "../runtime/help.ts";
import { asOperator } from "../runtime/operator.ts";
import type { Caller } from "../services/define-service.ts";
import type { Status } from "../services/orders/orders.contract.ts";
import type { Role, User } from "../services/users/users.contract.ts";
import { promptPassword } from "../services/users/users.prompt.ts";
import { goods } from "./goods.ts";
import { eveningIn, hallSeats } from "./halls.ts";

const USAGE =
	"Usage: npm run demo:seed -- --email admin@example.org (the password is DEMO_ADMIN_PASSWORD, or read from the terminal)";
printHelpIfAsked(`${USAGE}

Fills an empty system with an admin, products, a show, buyers and orders; what exists already stays as it is.`);

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
const made = new Map<string, number>();
const count = (what: string, more = 1) => {
	if (more > 0) made.set(what, (made.get(what) ?? 0) + more);
};

/** Returns the account of this address; creates it if there is none. */
async function ensureAccount(call: Call, email: string, name: string, role: Role, password: () => Promise<string> | string) {
	try {
		return (await call("users.find", { email })).user;
	} catch (error) {
		if (!isRefusal(error, "NOT_FOUND")) throw error;
	}
	const { user } = await call("users.create", { email, name, role, password: await password() });
	count(role === "admin" ? "admin" : "buyers");
	return user;
}

/** Creates missing products. Returns the ids of all goods, in their order. */
async function ensureProducts(call: Call): Promise<string[]> {
	for (const good of goods) {
		try {
			await call("products.create", good);
			count("products");
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
async function ensureShow(call: Call, admin: User) {
	for (let after: string | undefined; ; ) {
		const page = await call("seats.shows", { limit: 200, after });
		if (page.some(({ name }) => name === SHOW)) return;
		after = page.at(-1)?.showId;
		if (page.length < 200) break;
	}
	await call("seats.createShow", { name: SHOW, startsAt: eveningIn(30), seats: hallSeats }, actingAs(admin));
	count("show");
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

async function seed(call: Call, email: string) {
	const admin = await ensureAccount(
		call,
		email,
		"Demo admin",
		"admin",
		() => process.env.DEMO_ADMIN_PASSWORD || promptPassword()
	);
	if (admin.role !== "admin")
		throw new Error(`${email} has an account without the admin role: give another address with --email`);
	const products = await ensureProducts(call);
	await ensureShow(call, admin);
	for (const name of BUYERS) {
		const email = `${name.toLowerCase()}@demo.example.org`;
		const buyer = await ensureAccount(call, email, name, "user", () => randomBytes(24).toString("base64url"));
		const before = (await call("orders.list", { limit: 200 }, actingAs(buyer))).length;
		for (const n of ORDERS.keys()) await ensureOrder(call, buyer, admin, products, n);
		count("orders", (await call("orders.list", { limit: 200 }, actingAs(buyer))).length - before);
	}
	const created = Array.from(made, ([what, many]) => (what === "admin" ? `the admin ${email}` : `${many} ${what}`));
	console.log(created.length > 0 ? `Created ${created.join(", ")}` : "Everything exists already");
}

function readEmail(): string {
	try {
		return parseArgs({ options: { email: { type: "string", default: "admin@example.org" } } }).values.email;
	} catch {
		return exitWithUsage(USAGE);
	}
}

try {
	const email = readEmail();
	await asOperator(["users", "products", "orders", "seats"], call => seed(call, email));
	process.exit(0);
} catch (error) {
	const [line = ""] = (error as Error).message.split("\n");
	exitWithError(line);
}
