import { randomUUID } from "node:crypto";
import { newShow, openAccount, seatNames } from "../../test/client.seats.ts";
import { expectStatus } from "../../test/client.ts";
import { nowUs } from "../../test/sockets.readers.ts";
import { JWT_SECRET } from "../../test/tokens.ts";
import { startBaseline } from "../baselines/process.ts";
import { hops } from "../hops.ts";
import type { Measure, Side } from "../measure.ts";
import { pidsOf, startPlaza, WORKERS } from "../plaza.ts";
import { openSeatWatchers, type SeatWatchers } from "../seat-watchers.ts";

const WATCHERS = 1_000;
const FEW_WATCHERS = 50;

/** One change after another, each once all watchers have received the one before. `change` resolves to when it was made. */
function watched(name: string, watchers: SeatWatchers, pids: () => number[], change: (version: number) => Promise<number>): Side {
	let { version } = watchers;
	return {
		name,
		pids,
		async round(ms) {
			const latenciesMs: number[] = [];
			let changes = 0;
			await hops(ms, undefined, async () => {
				const next = ++version;
				const [receivedUs, startUs] = await Promise.all([watchers.received(next), change(next)]);
				for (const us of receivedUs) latenciesMs.push((us - startUs) / 1_000);
				return ++changes;
			});
			return { operations: changes, latenciesMs };
		}
	};
}

async function plaza(count: number) {
	const system = await startPlaza({ all: `api,socket,${WORKERS}` }, { JWT_SECRET });
	const showId = await newShow(system.url, seatNames(10, 20));
	const buyer = await openAccount(system.url);
	const watchers = await openSeatWatchers(system.url, showId, count);
	let holdId: string | undefined;
	/** Holds a seat, or releases it again. */
	const change = async () => {
		const startUs = nowUs();
		if (holdId === undefined) holdId = (await expectStatus(201, buyer.hold(showId, ["E10"]))).json.holdId as string;
		else {
			await expectStatus(204, buyer.release(holdId));
			holdId = undefined;
		}
		return startUs;
	};
	return {
		side: watched("Plaza", watchers, () => pidsOf(system), change),
		async stop() {
			watchers.close();
			await system.stop();
		}
	};
}

async function bare(count: number) {
	const server = await startBaseline("broadcast.ts");
	const showId = randomUUID();
	const watchers = await openSeatWatchers(`http://127.0.0.1:${server.port}`, showId, count);
	const change = (version: number) =>
		server.ask({ showId, version, seats: [{ seat: "E10", status: version % 2 ? "held" : "free" }] }) as Promise<number>;
	return {
		side: watched("bare Socket.IO", watchers, () => [server.pid], change),
		async stop() {
			watchers.close();
			await server.stop();
		}
	};
}

export const watchedSeats: Measure = {
	id: "G20",
	title: `a change of one seat to ${WATCHERS.toLocaleString("en")} watchers: from the request that holds or releases it to each watcher's event`,
	against: "bare Socket.IO broadcasting the same payload from one process, from the broadcast to each client's event",
	layout: "Plaza: one process with every service. Bare Socket.IO: one process. The watchers in another",
	targets: [{ metric: "p99Ms", most: 2 }],
	async open({ quick }) {
		const count = quick ? FEW_WATCHERS : WATCHERS;
		const [ours, baseline] = [await plaza(count), await bare(count)];
		return {
			ours: ours.side,
			baseline: baseline.side,
			close: async () => void (await Promise.all([ours.stop(), baseline.stop()]))
		};
	}
};
