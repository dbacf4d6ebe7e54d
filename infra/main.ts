// Kafka, Cassandra, Postgres and Redis natively, where there is no Docker: node infra/main.ts up|down|kill|freeze|thaw|wipe [server …]
import { cassandra } from "./cassandra.ts";
import { install } from "./install.ts";
import { kafka } from "./kafka.ts";
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";
import { freeze, kill, type Server, start, stop, thaw, wipe } from "./server.ts";

const servers = [kafka, cassandra, postgres, redis];
const verbs: Record<string, (server: Server) => Promise<string>> = { up: start, down: stop, kill, freeze, thaw, wipe };

const [verb = "", ...names] = process.argv.slice(2);
const act = verbs[verb];
const unknown = names.filter(name => !servers.some(server => server.name === name));
if (!act || unknown.length > 0) {
	console.error(`usage: node infra/main.ts ${Object.keys(verbs).join("|")} [${servers.map(server => server.name).join("|")} …]`);
	process.exit(2);
}

const chosen = servers.filter(server => names.length === 0 || names.includes(server.name));
const why = (error: unknown) => (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, "; ");

try {
	if (act === start) await install(chosen);
} catch (error) {
	console.error(`infra: ${why(error)}`);
	process.exit(1);
}

const report = async (server: Server) => {
	try {
		console.log(await act(server));
	} catch (error) {
		console.error(`${server.name.padEnd(9)} ${verb} failed: ${why(error)}`);
		process.exitCode = 1;
	}
};
await Promise.all(chosen.map(report));
