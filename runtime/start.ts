// Starts the services that SERVICES names, with Moleculer's own runner. `--repl` adds its REPL; on the cluster profile that is a node of its own.
import { join } from "node:path";
import { Runner, ServiceBroker } from "moleculer";
import { DataDirError, takeDataDir } from "../mixins/database/data-dir.ts";
import { type ServiceName, withDependencies } from "../services/contract.ts";
import { config } from "./config.ts";
import { exitWithError } from "./exit-with-error.ts";
import { printWarnings } from "./warnings.ts";

if (config.profile === "embedded") {
	try {
		takeDataDir(config.dataDir);
	} catch (error) {
		if (!(error instanceof DataDirError)) throw error;
		exitWithError(error.message);
	}
}

printWarnings();

// The runner reads the environment too: SERVICES, and variables named like Moleculer's options, or with MOL_ before, which would override
// moleculer.config.ts unseen. What we read of it has been read by now.
const options = Object.keys(ServiceBroker.defaultOptions).map(option => option.toUpperCase());
for (const name of Object.keys(process.env))
	if (name === "SERVICES" || name.startsWith("MOL_") || options.some(option => name === option || name.startsWith(`${option}_`)))
		delete process.env[name];

const root = (path: string) => join(import.meta.dirname, "..", path);
// config.ts has refused names that no service has.
const services = withDependencies(config.services as ServiceName[]).map(name => root(`services/${name}`));
await new Runner().start([
	...process.argv.slice(0, 2),
	"--config",
	root("moleculer.config.ts"),
	"--mask",
	"*.service.ts",
	...process.argv.slice(2),
	...services
]);
