/**
 * Runs a command with the operator's rights: it may call every action without a token.
 *
 *     const { user } = await asOperator(["users"], call => call("users.create", { email, password, role: "admin" }));
 *
 * In the cluster profile the command connects to the stores itself and needs no running node. In the embedded profile only one process may open
 * the data directory: if Plaza runs, the command calls it over its admin socket; otherwise the command opens the directory itself.
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

/** A process that locks the data directory without an admin socket is starting or stopping: wait this long for it. */
const ADMIN_SOCKET_TIMEOUT_MS = 30_000;
const POLL_MS = 200;

/** How to call the process that locks the data directory; undefined if there was none and this process has locked it. Throws `DataDirError`. */
export async function adminSocketOrDataDir(dataDir: string): Promise<Call | undefined> {
	const deadline = performance.now() + ADMIN_SOCKET_TIMEOUT_MS;
	for (;;) {
		const call = await findAdminSocket(dataDir);
		if (call) return call as Call;
		try {
			takeDataDir(dataDir, `DATA_DIR=${dataDir}`);
			return undefined;
		} catch (error) {
			const isLocked = error instanceof DataDirError && existsSync(join(dataDir, "lock"));
			if (!isLocked || performance.now() > deadline) throw error;
		}
		await delay(POLL_MS);
	}
}

async function inThisProcess<T>(services: readonly ServiceName[], work: (call: Call) => Promise<T>): Promise<T> {
	useClientOnly();
	printWarnings();
	// Only this user may open the files and directories that this process creates.
	process.umask(0o077);
	const broker = new ServiceBroker({
		logger: { type: "Console", options: { level: "warn" } },
		validator: new ContractValidator(actions),
		// Moleculer's signal handler exits with 0, as if the command had succeeded.
		skipProcessEventRegistration: true
	});
	for (const name of withDependencies(services))
		broker.createService((await import(`../services/${name}/${name}.service.ts`)).default);
	await broker.start();
	return work(broker.call.bind(broker) as Call).finally(() => broker.stop());
}

/**
 * Calls `work` with a function that calls actions of these services, in the running embedded process or in this one. Rejects as the actions do, and
 * with `DataDirError` if another process locks the data directory for 30 s without an admin socket.
 */
export async function asOperator<T>(services: readonly ServiceName[], work: (call: Call) => Promise<T>): Promise<T> {
	const call = config.profile === "embedded" ? await adminSocketOrDataDir(config.dataDir) : undefined;
	return call ? work(call) : inThisProcess(services, work);
}
