import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Redis } from "ioredis";
import { httpClient } from "../../test/client.ts";
import { startBaseline } from "../baselines/process.ts";
import { closedLoop } from "../load.ts";
import type { Measure, Side } from "../measure.ts";
import { pidsOf, startPlaza, WORKERS } from "../plaza.ts";

const USERS = 100;
const CALLERS = 64;
const users = Array.from({ length: USERS }, (_, n) => `bench-${n}`);

const definition = loadSync(join(import.meta.dirname, "../../proto/wallet.proto"), { keepCase: true });
const { wallet } = grpc.loadPackageDefinition(definition) as unknown as {
	wallet: { WalletService: grpc.ServiceClientConstructor };
};
type Ask = (
	request: { user_id: string },
	callback: (error: Error | null, answer: { balances: { total: number } }) => void
) => void;

/** A closed loop of requests to one server; a wrong answer fails the measure. */
function asking(name: string, address: string, pids: () => number[]): Side & { close(): void } {
	const client = new wallet.WalletService(address, grpc.credentials.createInsecure());
	const getBalance = (client as unknown as { GetBalance: Ask }).GetBalance.bind(client);
	const ask = (user_id: string) =>
		new Promise<void>((resolve, reject) =>
			getBalance({ user_id }, (error, answer) => {
				if (error) reject(error);
				else if (answer.balances.total !== 1) reject(new Error(`${user_id} has ${answer.balances.total}, not 1`));
				else resolve();
			})
		);
	return {
		name,
		pids,
		round: ms => closedLoop(CALLERS, ms, client => ask(users[client % USERS]!)),
		close: () => client.close()
	};
}

export const balance: Measure = {
	id: "G5",
	title: "GetBalance over gRPC, all features on",
	against: "a bare grpc-js handler with one ioredis GET",
	layout: "wallet in a process of its own, as the compose file has it, the other services in another, the client in a third",
	targets: [{ metric: "rate", least: 1 }],
	async open() {
		const others = WORKERS.split(",").filter(name => name !== "wallet");
		const plaza = await startPlaza({ wallet: "wallet", others: `api,socket,${others}` });
		const http = httpClient(plaza.url);
		for (const user_id of users) await http.post("/api/purchases", { id: "first", user_id, amount: 1 });
		const redis = new Redis(process.env.REDIS_URL!);
		for (const user of users) await redis.set(`baseline:${user}`, "1");
		redis.disconnect();
		const baseline = await startBaseline("grpc-get.ts");
		const ours = asking("Plaza", plaza.grpc, () => pidsOf(plaza));
		const theirs = asking("bare grpc-js", `127.0.0.1:${baseline.port}`, () => [baseline.pid]);
		return {
			ours,
			baseline: theirs,
			async close() {
				ours.close();
				theirs.close();
				await Promise.all([plaza.stop(), baseline.stop()]);
			}
		};
	}
};
