// Runs Kafka, Cassandra, Postgres and Redis without Docker: node infra/main.ts up|down|kill|freeze|thaw|wipe [server …]
import { printHelpIfAsked } from "../runtime/help.ts";
import { cassandra } from "./cassandra.ts";
import { install } from "./install.ts";
import { kafka } from "./kafka.ts";
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";
import { freeze, kill, type Server, start, stop, thaw, wipe } from "./server.ts";

const servers = [kafka, cassandra, postgres, redis];
const commands: Record<string, (server: Server) => Promise<string>> = { up: start, down: stop, kill, freeze, thaw, wipe };

const [command = "", ...names] = process.argv.slice(2);
const run = commands[command];
const unknown = names.filter(name => !servers.some(server => server.name === name));
const USAGE = `usage: node infra/main.ts ${Object.keys(commands).join("|")} [${servers.map(server => server.name).join("|")} …]`;
printHelpIfAsked(`${USAGE}

    npm run infra:up      installs what is missing and starts the servers
    npm run infra:down    stops them
    npm run infra:wipe    stops them and deletes their data

KAFKA_PORT, CASSANDRA_PORT, PG_PORT and REDIS_PORT choose other ports, INFRA_DATA another directory for the data.`);
if (!run || unknown.length > 0) {
	console.error(USAGE);
	process.exit(2);
}

const chosen = servers.filter(server => names.length === 0 || names.includes(server.name));
const describe = (error: unknown) => (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, "; ");

try {
	if (run === start) await install(chosen);
} catch (error) {
	console.error(`infra: ${describe(error)}`);
	process.exit(1);
}

const runAndReport = async (server: Server) => {
	try {
		console.log(await run(server));
	} catch (error) {
		console.error(`${server.name.padEnd(9)} ${command} failed: ${describe(error)}`);
		process.exitCode = 1;
	}
};
await Promise.all(chosen.map(runAndReport));
