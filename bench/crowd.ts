// A crowd that buys over WebSocket, and is not done before gRPC shows every one of them the right balance.
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { grpcClient } from "../test/client.grpc.ts";
import type { Bought, Told } from "./crowd.process.ts";
import type { Round, Side } from "./measure.ts";

const AMOUNT_CENTS = 125;
const RIGHT_WITHIN_MS = 60_000;

export interface CrowdOptions {
	name: string;
	wsUrl: string;
	grpc: string;
	pids: () => number[];
	sockets: number;
	load: Omit<Told, "ms">;
}

export type Crowd = Side & { close(): void };

/** One socket a user. Each round ends once gRPC answers exactly what each of them has spent; more than that, or less for a minute, ends the measure. */
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
	const heard = async () => ((await Promise.race([once(process, "message"), failed])) as [unknown])[0];
	await heard();

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
			process.send({ ms, ...load } satisfies Told);
			const { perUser, latenciesMs } = (await heard()) as Bought;
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
