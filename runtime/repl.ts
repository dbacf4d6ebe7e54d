/**
 * The operator's REPL: Moleculer's REPL, but params keep the text that was typed, and it can also join a running embedded system.
 *
 *     keepTypedText();                              // before the REPL is loaded
 *     broker.repl();                                // `--user_id 1e3` is the text 1e3, not 1000
 *
 *     await joinByAdminSocket("./data");            // a REPL whose calls the process that uses ./data answers
 */
import { createRequire } from "node:module";
import { type Context, ServiceBroker } from "moleculer";
import { paramNames } from "../contract/repl-params.ts";
import { unavailable } from "../mixins/errors.ts";
import { actions } from "../services/contract.ts";
import { findAdminSocket } from "./admin-socket.ts";
import { replSecrets } from "./repl-secrets.ts";

/** Requires what moleculer-repl requires, in the same versions. */
const requireOfRepl = createRequire(createRequire(import.meta.url).resolve("moleculer-repl"));
type ParseFlags = (args: string[], options?: { configuration: Record<string, boolean> }) => unknown;

/** Numbers whose text differs from what was typed (`1e3`, `1.50`, `+5`) replaced by what was typed. */
function withTypedText(parsed: unknown, typed: unknown): unknown {
	if (typeof parsed === "number") return String(parsed) === typed ? parsed : typed;
	if (typeof parsed !== "object" || parsed === null) return parsed;
	const typedFields = typed as Record<string, unknown>;
	const fields = Object.entries(parsed).map(([key, value]) => [key, withTypedText(value, typedFields[key])]);
	return Array.isArray(parsed) ? fields.map(([, value]) => value) : Object.fromEntries(fields);
}

/**
 * Makes the REPL keep a flag as text unless it is a number that has exactly this text; the contract then decides (`fromRepl`). The REPL has no
 * option for it: this replaces the parser that its commands require, so call it before the first `broker.repl()`.
 */
export function keepTypedText() {
	const ofRepl = requireOfRepl("./src/args-parser.js") as { parser: ParseFlags };
	const parseFlags = requireOfRepl("yargs-parser") as ParseFlags;
	const { parser } = ofRepl;
	ofRepl.parser = args => withTypedText(parser(args), parseFlags(args, { configuration: { "parse-numbers": false } }));
}

/** Calls in progress are answered before the REPL ends, also when its input was piped and has ended. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Opens a REPL whose calls are answered by the process that uses this data directory, also after that process was restarted. */
export async function joinByAdminSocket(dataDir: string) {
	const broker = new ServiceBroker({
		nodeID: `repl-${process.pid}`,
		logger: { type: "Console", options: { level: "warn" } },
		// The running process validates.
		validator: false,
		middlewares: [replSecrets],
		tracking: { enabled: true, shutdownTimeout: ANSWER_TIMEOUT_MS }
	});
	const forward = (action: string) => async (ctx: Context<object, object>) => {
		const call = await findAdminSocket(dataDir);
		if (!call) throw unavailable("the running process");
		return call(action, ctx.params, { meta: ctx.meta });
	};
	const forwarded = Object.entries(actions).map(([name, { params }]) => [
		name,
		{ params: paramNames(params), handler: forward(name) }
	]);
	broker.createService({
		name: "plaza",
		settings: { $noServiceNamePrefix: true },
		actions: Object.fromEntries(forwarded)
	});
	await broker.start();
	console.log(
		`Joined the running Plaza (DATA_DIR=${dataDir}): "call" and "actions" reach it, the other commands show this REPL only`
	);
	broker.repl();
}
