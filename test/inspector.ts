// Measures the memory of a process of the system that was started with INSPECTED in its environment.
import assert from "node:assert/strict";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { SystemProcess } from "./process.ts";

/** The inspector listens on a free loopback port, and only after SIGUSR1: an open inspector costs time, and several processes run beside each other. */
export const INSPECTED = { NODE_OPTIONS: "--inspect-port=127.0.0.1:0" };

const LISTENING_MS = 10_000;

export interface Memory {
	/** Memory in use after a garbage collection: objects, and the buffers that they hold. */
	usedBytes: number;
	rssBytes: number;
}

/** https://chromedevtools.github.io/devtools-protocol/v8/ */
export async function inspect(one: SystemProcess) {
	assert.equal(one.env.NODE_OPTIONS, INSPECTED.NODE_OPTIONS, `${one.name} was not started with INSPECTED`);
	process.kill(one.pid, "SIGUSR1");
	const line = await one.waitForOutput(/Debugger listening on \S+/, LISTENING_MS);
	const ws = new WebSocket(line.split(" ").at(-1) as string, { perMessageDeflate: false });
	await once(ws, "open");
	let lastID = 0;
	const send = async (method: string, params = {}) => {
		const id = ++lastID;
		ws.send(JSON.stringify({ id, method, params }));
		for (;;) {
			const [text] = await once(ws, "message");
			const answer = JSON.parse(String(text));
			if (answer.id === id) return answer.result;
		}
	};
	return {
		async memory(): Promise<Memory> {
			await send("HeapProfiler.collectGarbage");
			const { result } = await send("Runtime.evaluate", { expression: "process.memoryUsage()", returnByValue: true });
			const { heapUsed, external, rss } = result.value as NodeJS.MemoryUsage;
			return { usedBytes: heapUsed + external, rssBytes: rss };
		},
		close: () => ws.close()
	};
}
