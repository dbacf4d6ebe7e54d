/**
 * Makes an account from the command line, the first admin's above all: there is no default one.
 *
 *     npm run user:create -- --email ann@example.org --admin [--name Ann]
 *
 * The password is asked for, or is the first line of standard input; it is never an argument, which every process of the machine may read. An
 * account that exists is never made an admin's: nobody proved at registration that the address is theirs.
 */
import { parseArgs } from "node:util";
import { z } from "zod";
import { invalid } from "../../mixins/errors.ts";
import { fieldErrorsOf } from "../../mixins/field-errors.ts";
import { exitWithError } from "../../runtime/exit-with-error.ts";
import { asOperator } from "../../runtime/operator.ts";
import { Email, Name } from "./users.contract.ts";
import { promptPassword } from "./users.prompt.ts";

const USAGE =
	"Usage: npm run user:create -- --email ann@example.org [--admin] [--name Ann] (the password is asked for, or read from standard input)";

function readArguments() {
	try {
		const options = { email: { type: "string" }, name: { type: "string" }, admin: { type: "boolean", default: false } } as const;
		const { email, name, admin } = parseArgs({ options }).values;
		if (email !== undefined) return { email, name, admin };
	} catch {
		// Why might repeat what was not meant to be shown.
	}
	return exitWithError(USAGE);
}

const Account = z.object({ email: Email, name: Name.optional() });

async function run() {
	const { admin, ...account } = readArguments();
	// Before anybody types a password.
	const { success, data, error } = Account.safeParse(account);
	if (!success) throw invalid(fieldErrorsOf(error));
	const password = await promptPassword();
	const role = admin ? "admin" : "user";
	const { user } = await asOperator(["users"], call => call("users.create", { ...data, password, role }));
	console.log(`${user.email} has an account now, as ${role}: ${user.id}`);
}

try {
	await run();
	process.exit(0);
} catch (error) {
	const { type, message } = error as { type?: string; message: string };
	const [line = ""] = message.split("\n");
	exitWithError(type === "CONFLICT" ? "This address has an account already, and it was left as it is: give another one" : line);
}
