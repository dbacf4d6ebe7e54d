import { cpuUsOf } from "../cpu.ts";
import type { Measure } from "../measure.ts";
import { openPickClients, USERS } from "../pick-clients.ts";
import { pidsOf, startEmbeddedPlaza } from "../plaza.ts";

const PER_SECOND = 50;

export const embeddedPicks: Measure = {
	id: "G17",
	title: `embedded: picks, ${PER_SECOND} a second over ${USERS} connections, from the request to the frame with the new count; CPU of Plaza's process alone. Before the requests of a pick were reduced: 15 ms of CPU, p50 13 ms`,
	against: "nothing",
	layout: "one process; the clients in another",
	targets: [
		{ metric: "cpuUs", most: 5_000 },
		{ metric: "p50Ms", most: 6 }
	],
	async open() {
		const plaza = await startEmbeddedPlaza();
		const clients = await openPickClients(plaza, ["a", "b", "c", "d"]);
		return {
			ours: {
				name: "Plaza",
				async round(ms) {
					const startUs = cpuUsOf(pidsOf(plaza));
					const picks = await clients.play(ms, PER_SECOND);
					return {
						operations: picks.length,
						latenciesMs: picks.map(({ sentMs, shownMs }) => shownMs - sentMs),
						// The servers of the run take part in nothing here.
						metrics: { cpuUs: (cpuUsOf(pidsOf(plaza)) - startUs) / picks.length }
					};
				}
			},
			async close() {
				clients.close();
				await plaza.stop();
			}
		};
	}
};
