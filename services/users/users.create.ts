/**
 * Creates an account from the command line, above all the first admin: there is no default admin.
 *
 *     npm run user:create -- --email ann@example.org --admin [--name Ann]
 *
 * The command prompts for the password or reads it from the first line of standard input; it is never an argument, which every process of the
 * machine can read. An existing account never becomes an admin: registration does not verify who owns the address.
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { invalid } from "../../mixins/errors.ts";
import { checkFields } from "../../mixins/field-errors.ts";
import { exitWithError, exitWithUsage } from "../../runtime/exit-with-error.ts";
import { printHelpIfAsked } from "../../runtime/help.ts";
import { asOperator } from "../../runtime/operator.ts";
import { Email, Name } from "./users.contract.ts";
import { promptPassword } from "./users.prompt.ts";

const USAGE =
	"Usage: npm run user:create -- --email ann@example.org [--admin] [--name Ann] (prompts for the password, or reads it from standard input)";

printHelpIfAsked(USAGE);

function readArguments() {
	try {
		const options = { email: { type: "string" }, name: { type: "string" }, admin: { type: "boolean", default: false } } as const;
		const { email, name, admin } = parseArgs({ options }).values;
		if (email !== undefined) return { email, name, admin };
	} catch {
		// Not the message of parseArgs: it could repeat a password that was given as an argument.
	}
	return exitWithUsage(USAGE);
}

const Account = z.object({ email: Email, name: Name.optional() });

async function run() {
	const { admin, ...account } = readArguments();
	// Validate before prompting for the password.
	const { data, fieldErrors } = checkFields(Account, account);
	if (fieldErrors) throw invalid(fieldErrors);
	const password = await promptPassword();
	const role = admin ? "admin" : "user";
	const { user } = await asOperator(["users"], call => call("users.create", { ...data, password, role }));
	console.log(`${user.email} now has an account with role ${role}: ${user.id}`);
}

try {
	await run();
	process.exit(0);
} catch (error) {
	const { type, message } = error as { type?: string; message: string };
	const [line = ""] = message.split("\n");
	exitWithError(type === "CONFLICT" ? "This address has an account already, which was not changed: use another address" : line);
}
