// Runs the services in SERVICES with Moleculer's runner. `--repl` adds Moleculer's REPL: a running embedded system is joined by its admin socket, and
// in the cluster profile the REPL is a node without services.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Runner, ServiceBroker } from "moleculer";
import { DataDirError, takeDataDir } from "../mixins/database/data-dir.ts";
import { type ServiceName, withDependencies } from "../services/contract.ts";
import { config } from "./config.ts";
import { exitWithError } from "./exit-with-error.ts";
import { closeHttpListener } from "./http/http-listener.ts";
import { misspeltVariables } from "./misspelt-variables.ts";
import { onParentGone } from "./parent.ts";
import { joinByAdminSocket, keepTypedText } from "./repl.ts";
import { finishBeforeExit, stopProcess } from "./stop.ts";
import { printWarnings } from "./warnings.ts";

const isRepl = process.argv.includes("--repl");

/** Locks the data directory of the embedded profile. `join`: a running process has locked it, and the REPL must join that process. */
async function takeOrJoin(): Promise<"taken" | "join"> {
	try {
		if (isRepl) {
			// Imported only for the REPL, because it loads all drivers: a command that starts at the same time would lock the directory before a node.
			const { adminSocketOrDataDir } = await import("./operator.ts");
			return (await adminSocketOrDataDir(config.dataDir)) ? "join" : "taken";
		}
		takeDataDir(config.dataDir, `DATA_DIR=${config.dataDir}`);
		return "taken";
	} catch (error) {
		if (!(error instanceof DataDirError)) throw error;
		return exitWithError(error.message);
	}
}

/** Prints why the first start takes long, unless LOG_LEVEL excludes info. */
function announceFirstStart() {
	if (config.profile === "cluster" || existsSync(join(config.dataDir, "postgres"))) return;
	if (!["info", "debug", "trace"].includes(config.logLevel)) return;
	console.log(
		`First start: creating the database in DATA_DIR=${config.dataDir}, which takes about 15 s; later starts take about 5 s`
	);
}

async function startServices() {
	announceFirstStart();
	// Moleculer's runner also reads the environment: SERVICES, and variables named like broker options or prefixed with MOL_, which would silently
	// override moleculer.config.ts. runtime/config.ts has read its variables by now.
	const options = Object.keys(ServiceBroker.defaultOptions).map(option => option.toUpperCase());
	for (const name of Object.keys(process.env))
		if (
			name === "SERVICES" ||
			name.startsWith("MOL_") ||
			options.some(option => name === option || name.startsWith(`${option}_`))
		)
			delete process.env[name];

	const root = (path: string) => join(import.meta.dirname, "..", path);
	// runtime/config.ts has rejected unknown names.
	const services = withDependencies(config.services as ServiceName[]).map(name => root(`services/${name}`));
	const runner = new Runner();
	finishBeforeExit(async () => {
		const { broker } = runner;
		if (broker?.started) await broker.stop();
		// While it starts, only requests that are being answered must finish. The rest may end at any point, as in a crash; and stopping a broker that has
		// not started completely would fail.
		else if (broker) await closeHttpListener(broker);
	});
	await runner.start([
		...process.argv.slice(0, 2),
		"--config",
		root("moleculer.config.ts"),
		"--mask",
		"*.service.ts",
		...process.argv.slice(2),
		...services
	]);
}

void onParentGone(config.npmScript, stopProcess);
// Only this user may open the files and directories that this process creates.
process.umask(0o077);
printWarnings();
for (const line of misspeltVariables(process.env).values()) console.warn(line);
if (isRepl) keepTypedText();

if (config.profile === "embedded" && (await takeOrJoin()) === "join") await joinByAdminSocket(config.dataDir);
else await startServices();
