// Many clients that watch one show, in a process of their own, and when each of them received a change.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { within } from "../test/process.ts";
import { mint, newAccount } from "../test/tokens.ts";

const SUBSCRIBED_WITHIN_MS = 120_000;
const RECEIVED_WITHIN_MS = 30_000;

export interface SeatWatchers {
	/** The version of their snapshots. */
	version: number;
	/** Resolves once all of them have received this version, to the times at which they did, in microseconds of the clock of `nowUs`. */
	received(version: number): Promise<number[]>;
	close(): void;
}

export async function openSeatWatchers(url: string, showId: string, count: number): Promise<SeatWatchers> {
	// The system may limit the connections of one account.
	const tokens = await Promise.all(Array.from({ length: count }, () => mint(newAccount(), { endsInMs: 7_200_000 })));
	const process = fork(join(import.meta.dirname, "seat-watchers.process.ts"), [url, showId, ...tokens], { execArgv: [] });
	const failed = once(process, "exit").then(([code, signal]) => {
		throw new Error(`the watchers ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	const nextMessage = async () => ((await Promise.race([once(process, "message"), failed])) as [unknown])[0];
	const close = () => void process.kill("SIGKILL");
	const subscribed = within(nextMessage(), SUBSCRIBED_WITHIN_MS, () => `all ${count} watchers to subscribe`);
	const version = (await subscribed.catch(error => {
		close();
		throw error;
	})) as number;
	return {
		version,
		received(wanted) {
			const message = nextMessage() as Promise<number[]>;
			process.send(wanted);
			return within(message, RECEIVED_WITHIN_MS, () => `version ${wanted} on ${count} watchers`);
		},
		close
	};
}
