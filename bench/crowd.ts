// Users who buy over WebSocket; a round ends once gRPC returns the right balance for each of them.
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { grpcClient } from "../test/client.grpc.ts";
import type { LoadRequest, LoadResult } from "./crowd.process.ts";
import type { Round, Side } from "./measure.ts";

const AMOUNT_CENTS = 125;
const RIGHT_WITHIN_MS = 60_000;

export interface CrowdOptions {
	name: string;
	wsUrl: string;
	grpc: string;
	pids: () => number[];
	sockets: number;
	load: Omit<LoadRequest, "ms">;
}

export type Crowd = Side & { close(): void };

/** One socket a user. A round ends once gRPC returns exactly what each user has spent; a higher balance, or a lower one for a minute, fails the measure. */
export async function crowd({ name, wsUrl, grpc: address, pids, sockets, load }: CrowdOptions): Promise<Crowd> {
	const run = randomUUID().slice(0, 8);
	const users = Array.from({ length: sockets }, (_, n) => `${run}-${n}`);
	const spentCents = users.map(() => 0);
	const client = grpcClient(address);
	const balanceCents = async (user_id: string) => {
		const { balances } = (await client.getBalance(user_id)) as { balances: { total: number } };
		return Math.round(balances.total * 100);
	};

	const process: ChildProcess = fork(join(import.meta.dirname, "crowd.process.ts"), [
		wsUrl,
		JSON.stringify(users),
		String(AMOUNT_CENTS / 100)
	]);
	const failed = once(process, "exit").then(([code, signal]) => {
		throw new Error(`${name}: the crowd ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	const nextMessage = async () => ((await Promise.race([once(process, "message"), failed])) as [unknown])[0];
	await nextMessage();

	async function rightBalances() {
		const deadlineMs = performance.now() + RIGHT_WITHIN_MS;
		for (const [index, user] of users.entries()) {
			const wanted = spentCents[index]!;
			for (;;) {
				const shown = await balanceCents(user);
				if (shown === wanted) break;
				if (shown > wanted || performance.now() > deadlineMs)
					throw new Error(`${name}: gRPC shows ${user} ${shown} cents, not ${wanted}`);
			}
		}
	}

	return {
		name,
		pids,
		async round(ms): Promise<Round> {
			process.send({ ms, ...load } satisfies LoadRequest);
			const { perUser, latenciesMs } = (await nextMessage()) as LoadResult;
			for (const [index, bought] of perUser.entries()) spentCents[index]! += bought * AMOUNT_CENTS;
			await rightBalances();
			return { operations: latenciesMs.length, latenciesMs };
		},
		close() {
			process.kill("SIGKILL");
			client.close();
		}
	};
}
