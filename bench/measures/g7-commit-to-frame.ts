import { randomUUID } from "node:crypto";
import { openSocketAs, type Socket } from "../../test/client.socket.ts";
import { startBaseline } from "../baselines/process.ts";
import { hops } from "../hops.ts";
import type { Measure, Side } from "../measure.ts";
import { pidsOf, startPlaza, WORKERS } from "../plaza.ts";
import { makeTopic } from "../topic.ts";

/** Enough users that none buys again before the last balance has arrived. */
const SOCKETS = 100;

/** From the answer, which is sent after the commit, to the frame with the balance that includes the purchase. */
async function buy(socket: Socket, user_id: string, spent: number): Promise<number> {
	const from = socket.frames.length;
	socket.send({ user_id, amount: 1 });
	const committed = socket.waitFor(({ code }) => code === "purchase", "the purchase", { from }).then(() => performance.now());
	const shown = socket
		.waitFor(({ code, data }) => code === "balance" && data.balances.total === spent, `a balance of ${spent}`, { from })
		.then(() => performance.now());
	const [committedMs, shownMs] = await Promise.all([committed, shown]);
	return shownMs - committedMs;
}

async function open(perSecond?: number) {
	const plaza = await startPlaza({ all: `api,socket,${WORKERS}` });
	const run = randomUUID().slice(0, 8);
	const users = Array.from({ length: SOCKETS }, (_, n) => ({ id: `${run}-${n}`, bought: 0 }));
	const sockets = await Promise.all(users.map(({ id }) => openSocketAs(plaza.wsUrl, id)));
	const topic = "hop";
	await makeTopic(topic);
	const baseline = await startBaseline("kafka-hop.ts", { TOPIC: topic });
	let next = 0;
	const ours: Side = {
		name: "Plaza",
		pids: () => pidsOf(plaza),
		async round(ms) {
			const latenciesMs = await hops(ms, perSecond, () => {
				const n = next++ % SOCKETS;
				return buy(sockets[n]!, users[n]!.id, ++users[n]!.bought);
			});
			return { operations: latenciesMs.length, latenciesMs };
		}
	};
	const bare: Side = {
		name: "bare kafkajs",
		pids: () => [baseline.pid],
		async round(ms) {
			const latenciesMs = (await baseline.ask({ ms, perSecond })) as number[];
			return { operations: latenciesMs.length, latenciesMs };
		}
	};
	return {
		ours,
		baseline: bare,
		async close() {
			for (const socket of sockets) socket.close();
			await Promise.all([plaza.stop(), baseline.stop()]);
		}
	};
}

const TITLE = "from the answer to a purchase, which is committed then, to the frame with the new balance";
const AGAINST = "kafkajs sending one message, from `send` to the kafkajs consumer that receives it";
const LAYOUT = "Plaza: one process with every service. kafkajs: one process that sends and receives. The client in another";
const targets = [
	{ metric: "p50Ms", most: 3, difference: true },
	{ metric: "p99Ms", most: 2 }
];

export const commitToFrame: Measure = {
	id: "G7",
	title: `${TITLE}: one at a time`,
	against: AGAINST,
	layout: LAYOUT,
	targets,
	open: () => open()
};

const PER_SECOND = 100;

export const pacedCommitToFrame: Measure = {
	id: "G7-paced",
	title: `${TITLE}: ${PER_SECOND} a second of ${SOCKETS} users`,
	against: AGAINST,
	layout: LAYOUT,
	targets,
	open: () => open(PER_SECOND)
};
