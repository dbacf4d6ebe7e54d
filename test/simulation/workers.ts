// Runs jobs in worker processes, two at a time.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Job, Report } from "./worker.ts";

const MAX_WORKERS = 2;
const worker = fileURLToPath(new URL("worker.ts", import.meta.url));

const run = (job: Job) =>
	new Promise<Report>((resolve, reject) => {
		const child = fork(worker, [JSON.stringify(job)], { execArgv: ["--disable-warning=ExperimentalWarning"] });
		let report: Report | undefined;
		child.on("message", message => {
			report = message as Report;
		});
		child.on("exit", code => {
			if (report) resolve(report);
			else reject(new Error(`${job.world} from seed ${job.first}: worker ended without a report (exit code ${code})`));
		});
	});

/** Runs all jobs and calls `onReport` with each result as it arrives. */
export async function runAll<J extends Job>(jobs: J[], onReport: (job: J, report: Report) => void) {
	const waitingJobs = [...jobs];
	const work = async () => {
		for (let job = waitingJobs.shift(); job; job = waitingJobs.shift()) onReport(job, await run(job));
	};
	await Promise.all(Array.from({ length: MAX_WORKERS }, work));
}
