// Starts the services that SERVICES names, with Moleculer's own runner. `--repl` adds its REPL; on the cluster profile that is a node of its own.
import { join } from "node:path";
import { Runner } from "moleculer";
import { config } from "./config.ts";
import { DataDirInUse, takeDataDir } from "./mixins/database/data-dir.ts";
import { carriedBy } from "./services/contract.ts";

if (config.profile === "embedded") {
	try {
		takeDataDir(config.dataDir);
	} catch (error) {
		if (!(error instanceof DataDirInUse)) throw error;
		console.error(error.message);
		process.exit(1);
	}
}

// kafkajs sets timers in the past, thousands of them; each works as if it were set for now.
process.removeAllListeners("warning");
process.on("warning", ({ name, message }) => {
	if (name !== "TimeoutNegativeWarning") console.warn(`${name}: ${message}`);
});

// The runner reads it too, and would load only what it names, without the answers those services call.
delete process.env.SERVICES;

const here = (path: string) => join(import.meta.dirname, path);
const services = carriedBy(config.services).map(name => here(`services/${name}`));
await new Runner().start([
	...process.argv.slice(0, 2),
	"--config",
	here("moleculer.config.ts"),
	"--mask",
	"*.service.ts",
	...process.argv.slice(2),
	...services
]);
