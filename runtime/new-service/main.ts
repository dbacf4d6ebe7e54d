// npm run new:service likes
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ActionContract } from "../../contract/action.ts";
import { actions } from "../../services/contract.ts";
import { printHelpIfAsked } from "../help.ts";
import { checkName, NewServiceError, newService } from "./new-service.ts";

printHelpIfAsked(
	"Usage: npm run new:service -- NAME (creates the folder services/NAME with every file of a service, ready to be changed)"
);

const root = join(import.meta.dirname, "../..");
const routes = Object.values(actions as Record<string, ActionContract>).flatMap(({ rest }) => rest ?? []);

try {
	const [name, ...more] = process.argv.slice(2);
	if (more.length > 0) throw new NewServiceError("give one name: npm run new:service likes");
	checkName(root, name, routes);
	for (const { path, text } of newService(root, name)) {
		mkdirSync(dirname(join(root, path)), { recursive: true });
		writeFileSync(join(root, path), text);
		console.log(path);
	}
	console.log(
		`The service ${name} is ready: change its contract first, then its rules, store and migration; npm run check reports what is missing`
	);
} catch (error) {
	if (!(error instanceof NewServiceError)) throw error;
	console.error(error.message);
	process.exitCode = 2;
}
