// Runs jobs in processes of their own, two at a time.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Job, Report } from "./worker.ts";

const AT_ONCE = 2;
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
			else reject(new Error(`${job.world} from seed ${job.first} on ended without a report (${code})`));
		});
	});

/** Answers each job's report, in order; `told`: called as they come. */
export async function runAll<J extends Job>(jobs: J[], told: (job: J, report: Report) => void) {
	const left = [...jobs];
	const work = async () => {
		for (let job = left.shift(); job; job = left.shift()) told(job, await run(job));
	};
	await Promise.all(Array.from({ length: AT_ONCE }, work));
}
