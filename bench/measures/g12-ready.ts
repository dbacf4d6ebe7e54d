import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts, startProcess } from "../../test/process.ts";
import { servers } from "../../test/system.ts";
import type { Measure } from "../measure.ts";

const READY = /^Plaza is ready/m;
const READY_WITHIN_MS = 60_000;

/** Time in ms from starting the process to the line that says it is ready; then the process is stopped. */
async function timeToReady(env: Record<string, string>): Promise<number> {
	const [http, grpc, metrics] = (await freePorts(3)).map(String) as [string, string, string];
	const startMs = performance.now();
	const node = startProcess("plaza", { NODE_ID: "bench", HTTP_PORT: http, GRPC_PORT: grpc, METRICS_PORT: metrics, ...env });
	try {
		await node.waitForOutput(READY, READY_WITHIN_MS);
		return performance.now() - startMs;
	} finally {
		await node.kill("SIGTERM");
	}
}

export const ready: Measure = {
	id: "G12",
	title:
		"time to ready: embedded on data that is there, embedded on none, and cluster on running servers with their topics and tables made",
	against: "nothing",
	layout: "one process with every service",
	targets: [
		{ metric: "embeddedMs", most: 3_000 },
		{ metric: "clusterMs", most: 6_000 }
	],
	async open({ quick }) {
		const used = mkdtempSync(join(tmpdir(), "plaza-ready-"));
		await timeToReady({ PROFILE: "embedded", DATA_DIR: used });
		const onEmptyDirectory = async () => {
			const fresh = mkdtempSync(join(tmpdir(), "plaza-ready-"));
			try {
				return await timeToReady({ PROFILE: "embedded", DATA_DIR: fresh });
			} finally {
				rmSync(fresh, { recursive: true });
			}
		};
		const rounds = async () => ({
			embeddedMs: await timeToReady({ PROFILE: "embedded", DATA_DIR: used }),
			clusterMs: await timeToReady({ PROFILE: "cluster", HOST: "127.0.0.1", GUESTS: "on", ...servers() }),
			...(quick ? {} : { freshMs: await onEmptyDirectory() })
		});
		return {
			ours: {
				name: "starts",
				async round() {
					const metrics = await rounds();
					return { operations: Object.keys(metrics).length, metrics };
				}
			},
			close: async () => rmSync(used, { recursive: true })
		};
	}
};
