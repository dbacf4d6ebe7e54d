import { httpClient } from "../../test/client.ts";
import { startBaseline } from "../baselines/process.ts";
import { httpLoad, requestOf } from "../http-load.ts";
import type { Measure, Side } from "../measure.ts";
import { pidsOf, startPlaza, WORKERS } from "../plaza.ts";

const CONNECTIONS = 64;

function asking(name: string, url: string, pids: () => number[]): Side {
	const text = requestOf(new URL("/selections", url), "GET");
	return { name, pids, round: ms => httpLoad(url, ms, { connections: CONNECTIONS, status: 200, request: () => text }) };
}

export const selectionsList: Measure = {
	id: "G13",
	title: "`GET /selections`, all features on but the limits, no picks",
	against: "bare node:http answering the same body",
	layout: `one process with api and socket, one with the other services; ${CONNECTIONS} connections from another`,
	targets: [{ metric: "rate", least: 0.5 }],
	async open() {
		const plaza = await startPlaza({ gateway: "api,socket", workers: WORKERS }, { SELECTION_NAMES: "a,b,c,d" });
		const { text } = await httpClient(plaza.url).get("/selections");
		const bare = await startBaseline("http-answer.ts", { BODY: text });
		const ours = asking("Plaza", plaza.url, () => pidsOf(plaza));
		const baseline = asking("node:http", `http://127.0.0.1:${bare.port}`, () => [bare.pid]);
		return {
			ours,
			baseline,
			async close() {
				await Promise.all([plaza.stop(), bare.stop()]);
			}
		};
	}
};
