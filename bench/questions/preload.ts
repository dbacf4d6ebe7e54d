// Loaded before Plaza by `--import`: counts what the process sends, and answers with the counts on a loopback port.
//
//     REQUEST_COUNTS_PORT=12345 node --import ./bench/questions/preload.ts runtime/start.mjs
//     GET /     → the counts since the start
//     POST /    → appends the records in the body to their topics, as a foreign client would: [{topic, key, value}]
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isMainThread } from "node:worker_threads";
import type { TopicLog } from "../../mixins/topics/topic-log.ts";
import { countDrivers } from "./count-drivers.ts";
import { countTimers } from "./count-timers.ts";
import type { Counts } from "./counts.ts";

const folder = process.cwd();
const counts: Counts = {};

/** Through the process's own log: nothing else can append to the embedded one. */
async function append(records: string) {
	const drivers = await import(pathToFileURL(join(folder, "runtime/drivers.ts")).href);
	await (drivers.topicLog() as TopicLog).append(JSON.parse(records));
}

if (isMainThread) {
	countTimers(counts);
	await countDrivers(folder, counts);
	const server = createServer(async (request, response) => {
		try {
			if (request.method === "POST") await append(Buffer.concat(await request.toArray()).toString());
			response.end(JSON.stringify(counts));
		} catch (error) {
			response.writeHead(500).end(String(error));
		}
	});
	server.listen(Number(process.env.REQUEST_COUNTS_PORT), "127.0.0.1").unref();
	await once(server, "listening");
}
