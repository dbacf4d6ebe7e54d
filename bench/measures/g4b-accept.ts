import { randomUUID } from "node:crypto";
import { eventually, httpClient } from "../../test/client.ts";
import { startBaseline } from "../baselines/process.ts";
import { httpLoad, requestOf } from "../http-load.ts";
import type { Measure, Side } from "../measure.ts";
import { pidsOf, startPlaza } from "../plaza.ts";
import { deleteRecords, makeTopic } from "../topic.ts";

const CONNECTIONS = 64;

const PATH = "/api/selections/async";
const newPick = () => ({ name: "d", id: randomUUID(), user_id: "test-user" });

function picking(name: string, url: string, pids: () => number[]): Side {
	const path = new URL(PATH, url);
	const request = () => requestOf(path, "POST", JSON.stringify(newPick()));
	return { name, pids, round: ms => httpLoad(url, ms, { connections: CONNECTIONS, status: 202, request }) };
}

export const accept: Measure = {
	id: "G4b",
	title: "picks accepted over HTTP: 202 once durable in Kafka",
	against: "bare node:http and one awaited kafkajs send each, acks=all too",
	layout: `one process with api, socket and the answers of the others, no consumers; ${CONNECTIONS} connections from another`,
	targets: [{ metric: "rate", least: 2 }],
	async open() {
		const topic = `baseline-${randomUUID()}`;
		// The baseline's topic has no consumer either.
		await makeTopic(topic);
		// Counting has its own measure: both sides only accept picks.
		const plaza = await startPlaza({ gateway: "api,socket" }, {}, { isWhole: false });
		await eventually(async () => {
			const { status, text } = await httpClient(plaza.url).post(PATH, newPick());
			if (status !== 202) throw new Error(`${status} ${text}`);
		}, "a pick to be accepted");
		const bare = await startBaseline("http-kafka.ts", { TOPIC: topic });
		const ours = picking("Plaza", plaza.url, () => pidsOf(plaza));
		const baseline = picking("node:http and kafkajs", `http://127.0.0.1:${bare.port}`, () => [bare.pid]);
		return {
			ours,
			baseline,
			async close() {
				await Promise.all([plaza.stop(), bare.stop()]);
				await deleteRecords(["Selections"]);
			}
		};
	}
};
