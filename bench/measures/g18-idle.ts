import { setTimeout as delay } from "node:timers/promises";
import type { System } from "../../test/system.ts";
import { cpuUsOf } from "../cpu.ts";
import type { Measure } from "../measure.ts";
import { pidsOf, startEmbeddedPlaza, startPlaza, WORKERS } from "../plaza.ts";

/** Returns a function for the share of one core that this system's processes have used since now, in percent. */
function watchShare(system: System) {
	const [startMs, startUs] = [performance.now(), cpuUsOf(pidsOf(system))];
	return () => ((cpuUsOf(pidsOf(system)) - startUs) / 1_000 / (performance.now() - startMs)) * 100;
}

export const idle: Measure = {
	id: "G18",
	title:
		"the share of one core that a process without clients uses, in percent: embedded, and cluster with every service. Before: 4 and 8 to 13",
	against: "nothing",
	layout: "one process each, both at once",
	targets: [
		{ metric: "embeddedPercent", most: 1.5 },
		{ metric: "clusterPercent", most: 3 }
	],
	async open() {
		const embedded = await startEmbeddedPlaza();
		const cluster = await startPlaza({ all: `api,socket,${WORKERS}` });
		return {
			ours: {
				name: "idle",
				async round(ms) {
					const [embeddedPercent, clusterPercent] = [watchShare(embedded), watchShare(cluster)];
					await delay(ms);
					return { operations: 1, metrics: { embeddedPercent: embeddedPercent(), clusterPercent: clusterPercent() } };
				}
			},
			close: async () => void (await Promise.all([embedded.stop(), cluster.stop()]))
		};
	}
};
