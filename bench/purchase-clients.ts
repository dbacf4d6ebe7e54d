// Users who buy over WebSocket; a round ends once gRPC returns the right balance for each of them.
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { grpcClient } from "../test/client.grpc.ts";
import type { Round, Side } from "./measure.ts";
import type { LoadRequest, LoadResult } from "./purchase-clients.process.ts";

const AMOUNT_CENTS = 125;
const BALANCES_WITHIN_MS = 60_000;

export interface PurchaseClientsOptions {
	name: string;
	wsUrl: string;
	grpc: string;
	pids: () => number[];
	sockets: number;
	load: Omit<LoadRequest, "ms">;
}

export type PurchaseClients = Side & { close(): void };

/** One socket a user. A round ends once gRPC returns exactly what each user has spent; a higher balance, or a lower one for a minute, fails the measure. */
export async function startPurchaseClients({
	name,
	wsUrl,
	grpc: address,
	pids,
	sockets,
	load
}: PurchaseClientsOptions): Promise<PurchaseClients> {
	const run = randomUUID().slice(0, 8);
	const users = Array.from({ length: sockets }, (_, n) => `${run}-${n}`);
	const spentCents = users.map(() => 0);
	const client = grpcClient(address);
	const balanceCents = async (user_id: string) => {
		const { balances } = (await client.getBalance(user_id)) as { balances: { total: number } };
		return Math.round(balances.total * 100);
	};

	const process: ChildProcess = fork(join(import.meta.dirname, "purchase-clients.process.ts"), [
		wsUrl,
		JSON.stringify(users),
		String(AMOUNT_CENTS / 100)
	]);
	const failed = once(process, "exit").then(([code, signal]) => {
		throw new Error(`${name}: the purchase clients ended with ${signal ?? code}`);
	});
	failed.catch(() => {});
	const nextMessage = async () => ((await Promise.race([once(process, "message"), failed])) as [unknown])[0];
	await nextMessage();

	async function waitForBalances() {
		const deadlineMs = performance.now() + BALANCES_WITHIN_MS;
		for (const [index, user] of users.entries()) {
			const expected = spentCents[index]!;
			for (;;) {
				const returned = await balanceCents(user);
				if (returned === expected) break;
				if (returned > expected || performance.now() > deadlineMs)
					throw new Error(`${name}: gRPC returned ${returned} cents for ${user}, expected ${expected}`);
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
			await waitForBalances();
			return { operations: latenciesMs.length, latenciesMs };
		},
		close() {
			process.kill("SIGKILL");
			client.close();
		}
	};
}
