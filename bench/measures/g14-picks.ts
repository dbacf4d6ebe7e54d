import { randomUUID } from "node:crypto";
import { startBaseline } from "../baselines/process.ts";
import { cpuUsOf } from "../cpu.ts";
import { percentile } from "../format.ts";
import type { Measure, Round, Side, Target } from "../measure.ts";
import { openPickClients, type PickClients, USERS } from "../pick-clients.ts";
import { pidsOf, startPlaza, WORKERS } from "../plaza.ts";
import { serverPids } from "../servers.ts";
import { openKeyspace } from "../tallies.ts";
import { makeTopic } from "../topic.ts";

/** With eight names, a whole run adds about 1,000 rows to each name. */
export const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** The naive flow counts all rows of a name: from 500 to 1,500 of them in a whole run. */
const ROWS_OF_A_NAME = 500;

/** The compilers of Kafka and Cassandra take about as long; picks of it are not counted with the other names. */
const WARM_UP_MS = 15_000;
export const WARM_UP_NAME = "warm-up";

/** Names → CPU time so far, in microseconds. */
const cpuOfEach = (pids: () => number[]) =>
	Object.entries({ application: pids(), ...serverPids() }).map(([name, roots]) => [name, cpuUsOf([roots].flat())] as const);

function picking(name: string, clients: PickClients, pids: () => number[], perSecond: number): Side {
	const round = async (ms: number): Promise<Round> => {
		const before = new Map(cpuOfEach(pids));
		const picks = await clients.play(ms, perSecond);
		const usedUs = cpuOfEach(pids).map(([name, us]) => [name, (us - before.get(name)!) / picks.length] as const);
		const acceptedMs = picks.map(({ sentMs, acceptedMs }) => acceptedMs - sentMs);
		return {
			operations: picks.length,
			latenciesMs: picks.map(({ sentMs, shownMs }) => shownMs - sentMs),
			metrics: {
				// Without the clients: at this pace they cost as much as a naive application, and hide the difference.
				cpuUs: usedUs.reduce((sum, [, us]) => sum + us, 0),
				acceptedP50Ms: percentile(acceptedMs, 0.5),
				acceptedP99Ms: percentile(acceptedMs, 0.99),
				...Object.fromEntries(usedUs.map(([name, us]) => [`${name}CpuUs`, us]))
			}
		};
	};
	return { name, pids, round };
}

/** The naive flow in a process of its own, on a table that has rows. */
async function startNaive(rowsOfAName: number) {
	const keyspace = await openKeyspace();
	// A partition holds the rows of a name: the cheapest table to count them in.
	const table = "create table naive_selections (name text, id text, user_id text, primary key (name, id))";
	await keyspace.connection.createTables([table]);
	const [topic, summaryTopic] = [`naive-picks-${randomUUID()}`, `naive-summary-${randomUUID()}`];
	await makeTopic(topic);
	await makeTopic(summaryTopic);
	const naive = await startBaseline("naive-picks.ts", {
		TOPIC: topic,
		SUMMARY_TOPIC: summaryTopic,
		KEYSPACE: keyspace.connection.client.keyspace,
		NAMES: [...NAMES, WARM_UP_NAME].join(),
		ROWS_OF_A_NAME: String(rowsOfAName)
	});
	return {
		url: `http://127.0.0.1:${naive.port}`,
		wsUrl: `ws://127.0.0.1:${naive.port}`,
		pids: () => [naive.pid],
		async stop() {
			await naive.stop();
			await keyspace.close();
		}
	};
}

async function open(perSecond: number, quick: boolean) {
	const naive = await startNaive(quick ? 1 : ROWS_OF_A_NAME);
	const plaza = await startPlaza({ all: `api,socket,${WORKERS}` }, { SELECTION_NAMES: [...NAMES, WARM_UP_NAME].join() });
	const [ourClients, naiveClients] = [await openPickClients(plaza, NAMES), await openPickClients(naive, NAMES)];
	if (!quick) for (const clients of [ourClients, naiveClients]) await clients.warmUp(WARM_UP_MS, WARM_UP_NAME);
	return {
		ours: picking("Plaza", ourClients, () => pidsOf(plaza), perSecond),
		baseline: picking("the naive flow", naiveClients, naive.pids, perSecond),
		async close() {
			ourClients.close();
			naiveClients.close();
			await Promise.all([plaza.stop(), naive.stop()]);
		}
	};
}

const AGAINST =
	"a naive flow on the same libraries: an awaited kafkajs send; then an INSERT, a `count(1)` over about a thousand rows, an UPDATE in Postgres and a second awaited send; then a frame. It counts a repeated pick twice";
const LAYOUT = "one process with every service; the naive flow in one process too; the clients in another";

const titleOf = (perSecond: number) =>
	`picks, ${perSecond} a second over ${USERS} connections, from the request to the frame with the new count`;
const frameTargets: Target[] = [
	{ metric: "p50Ms", most: 1 },
	{ metric: "p99Ms", most: 1 },
	{ metric: "cpuUs", most: 0.8, id: "G15" }
];

export const pacedPicks: Measure = {
	against: AGAINST,
	layout: LAYOUT,
	id: "G14",
	title: `${titleOf(50)}; G15: CPU of such a pick without the clients; G16: from the request to its 202`,
	targets: [
		...frameTargets,
		{ metric: "acceptedP50Ms", most: 1.2, id: "G16" },
		{ metric: "acceptedP99Ms", most: 1.2, id: "G16" }
	],
	open: ({ quick }) => open(50, quick)
};

export const busierPicks: Measure = {
	against: AGAINST,
	layout: LAYOUT,
	id: "G14-100",
	title: titleOf(100),
	targets: frameTargets,
	open: ({ quick }) => open(100, quick)
};
