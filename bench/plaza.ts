// Plaza's own side of a measure: its real processes, on the servers of the environment, limits off.
import { type System, startSystem } from "../test/system.ts";

const UNLIMITED = {
	MAX_FRAMES_PER_SECOND: "0",
	MAX_REQUESTS_PER_SECOND: "0",
	MAX_SOCKETS_PER_ADDRESS: "0",
	MAX_SOCKETS_PER_ACCOUNT: "0",
	LOG_LEVEL: "warn"
};

/** Every service but those that hold sockets and answer HTTP. */
export const WORKERS = "selections,summary,sync,purchase,wallet,products,inventory,orders,payment,users";

/**
 * `layout`: name of a process → its services, as SERVICES has them. `isWhole`: no service is missing; else it is not waited until all is well, as
 * it never will be.
 */
export const startPlaza = (
	layout: Record<string, string>,
	env: Record<string, string> = {},
	{ isWhole = true } = {}
): Promise<System> => startSystem({ profile: "cluster", layout, env: { ...UNLIMITED, ...env }, waitUntilReady: isWhole });

export const pidsOf = (system: System) => system.processes.map(({ pid }) => pid);
