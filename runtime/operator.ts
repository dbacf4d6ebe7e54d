/**
 * For commands that run beside the system, with the rights of whoever runs it:
 *
 *     const { user } = await asOperator(["users"], call => call("users.create", { email, password, role: "admin" }));
 *
 * On the cluster profile a command goes to the stores by itself, and needs no node. On the embedded profile one process alone may hold the data:
 * where one runs the command has it do the work, else it holds the data itself for as long as it takes.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { ContractValidator } from "../contract/validator.ts";
import { DataDirError, takeDataDir } from "../mixins/database/data-dir.ts";
import { actions, type ServiceName, withDependencies } from "../services/contract.ts";
import type { Caller } from "../services/define-service.ts";
import { findAdminSocket } from "./admin-socket.ts";
import { config } from "./config.ts";
import { useClientOnly } from "./drivers.ts";
import { printWarnings } from "./warnings.ts";

type Call = Caller["call"];

/** A process that holds the data and lets nobody in is about to, or about to end. */
const ADMIN_SOCKET_TIMEOUT_MS = 30_000;
const POLL_MS = 200;

/** The way into the process that holds the data; undefined if none did: then this one does now. Throws `DataDirError`. */
async function adminSocketOrDataDir(dataDir: string): Promise<Call | undefined> {
	const deadline = performance.now() + ADMIN_SOCKET_TIMEOUT_MS;
	for (;;) {
		const door = await findAdminSocket(dataDir);
		if (door) return door as Call;
		try {
			takeDataDir(dataDir);
			return undefined;
		} catch (error) {
			const isHeld = error instanceof DataDirError && existsSync(join(dataDir, "lock"));
			if (!isHeld || performance.now() > deadline) throw error;
		}
		await delay(POLL_MS);
	}
}

async function inThisProcess<T>(services: readonly ServiceName[], work: (call: Call) => Promise<T>): Promise<T> {
	useClientOnly();
	printWarnings();
	const broker = new ServiceBroker({
		logger: { type: "Console", options: { level: "warn" } },
		validator: new ContractValidator(actions),
		// Moleculer's own way to end by Ctrl-C is with 0, as if the work had been done.
		skipProcessEventRegistration: true
	});
	for (const name of withDependencies(services))
		broker.createService((await import(`../services/${name}/${name}.service.ts`)).default);
	await broker.start();
	return work(broker.call.bind(broker) as Call).finally(() => broker.stop());
}

/**
 * Does some work with actions of these services, without anybody's token: in the embedded process that runs, or else in this one, where they answer
 * and do nothing of their own accord. Rejects as the actions do; with `DataDirError` where a process holds the data and lets nobody in for 30 s.
 */
export async function asOperator<T>(services: readonly ServiceName[], work: (call: Call) => Promise<T>): Promise<T> {
	const door = config.profile === "embedded" ? await adminSocketOrDataDir(config.dataDir) : undefined;
	return door ? work(door) : inThisProcess(services, work);
}
