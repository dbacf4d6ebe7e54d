/**
 * Starts Plaza as `npm start` does, fills it, and simulates users until it is stopped.
 *
 *     npm run demo
 *
 * Plaza is a process of its own, which knows nothing of the demo.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { printHelpIfAsked } from "../runtime/help.ts";
import { onParentGone } from "../runtime/parent.ts";
import { finishBeforeExit, stopOnSignals, stopProcess } from "../runtime/stop.ts";

printHelpIfAsked(`Starts Plaza as npm start does, fills it with data, and simulates users until Ctrl-C.

    npm run demo

On the first start it creates an admin, and prints the address and the random password once: only its hash is stored. Later starts keep all data.
The environment variables are those of npm start; LOG_LEVEL is warn unless it is set.`);

// Before the rest is loaded: a stop must end the process with 0 from the first moment on.
stopOnSignals();
const { config } = await import("../runtime/config.ts");
const { exitWithError } = await import("../runtime/exit-with-error.ts");
if (config.httpPort === 0) exitWithError("HTTP_PORT=0: the demo needs to know the port, for example HTTP_PORT=8080");
void onParentGone(config.npmScript, stopProcess);

// The channel ("ipc") closes when this process ends, also when it is killed, and Plaza then stops by itself.
const plaza = fork(join(import.meta.dirname, "../runtime/start.mjs"), {
	// At level info, what the simulated users do would scroll the admin's password out of view.
	env: { LOG_LEVEL: "warn", ...process.env },
	stdio: ["ignore", "pipe", "inherit", "ipc"]
});
console.log("Starting Plaza; a first start takes about 15 s");
const ended = once(plaza, "close");
process.once("exit", () => plaza.kill("SIGKILL"));

const stopping = new AbortController();
const stopPlaza = async () => {
	stopping.abort();
	// Windows has no signals.
	if (process.platform === "win32") plaza.disconnect();
	else plaza.kill("SIGTERM");
	await ended;
};
finishBeforeExit(stopPlaza);
void ended.then(([code]) => stopping.signal.aborted || process.exit(code ?? 1));

// Plaza prints this line once `GET /health` answers 200. A request of ours could be answered by another process at the same port.
await new Promise<void>(resolve => {
	createInterface({ input: plaza.stdout! }).on("line", line => {
		console.log(line);
		if (line.startsWith("Plaza is ready")) resolve();
	});
});
try {
	const { fillAndPlay } = await import("./fill-and-play.ts");
	const host = config.host.includes(":") ? `[${config.host}]` : config.host;
	await fillAndPlay(`http://${host}:${config.httpPort}`, stopping.signal);
} catch (error) {
	if (!stopping.signal.aborted) {
		const [line = ""] = (error as Error).message.split("\n");
		await stopPlaza();
		exitWithError(line);
	}
}
