/**
 * Fills an empty system, so that its pages have something to show: an admin, twenty products, a show, a few buyers and their orders.
 *
 *     npm run demo:seed [-- --email admin@example.org]
 *
 * The admin's password is DEMO_ADMIN_PASSWORD, or is read from the terminal; there is no default. The buyers' passwords are random and not kept.
 * Existing data stays as it is: a second run adds nothing.
 */
import { parseArgs } from "node:util";
import { exitWithError, exitWithUsage } from "../runtime/exit-with-error.ts";
import { printHelpIfAsked } from "../runtime/help.ts";
import { asOperator } from "../runtime/operator.ts";
import type { Caller } from "../services/define-service.ts";
import { promptPassword } from "../services/users/users.prompt.ts";
import { ensureAccount, FILLED, fill } from "./fill.ts";

const USAGE =
	"Usage: npm run demo:seed -- --email admin@example.org (the password is DEMO_ADMIN_PASSWORD, or read from the terminal)";
printHelpIfAsked(`${USAGE}

Fills an empty system with an admin, products, a show, buyers and orders; what exists already stays as it is.`);

async function seed(call: Caller["call"], email: string) {
	const password = () => process.env.DEMO_ADMIN_PASSWORD || promptPassword();
	const { user: admin, isNew } = await ensureAccount(call, email, "Demo admin", "admin", password);
	if (admin.role !== "admin")
		throw new Error(`${email} has an account without the admin role: give another address with --email`);
	const made = Array.from(await fill(call, admin), ([what, many]) => `${many} ${what}`);
	const created = isNew ? [`the admin ${email}`, ...made] : made;
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
	await asOperator(FILLED, call => seed(call, email));
	process.exit(0);
} catch (error) {
	const [line = ""] = (error as Error).message.split("\n");
	exitWithError(line);
}
