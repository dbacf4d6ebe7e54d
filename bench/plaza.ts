// Plaza's side of a measure: its real processes on the servers of the environment, without limits.
import { type System, startSystem } from "../test/system.ts";

const UNLIMITED = {
	MAX_FRAMES_PER_SECOND: "0",
	MAX_REQUESTS_PER_SECOND: "0",
	MAX_SOCKETS_PER_ADDRESS: "0",
	MAX_SOCKETS_PER_ACCOUNT: "0",
	LOG_LEVEL: "warn"
};

/** All services except api and socket. */
export const WORKERS = "selections,summary,sync,purchase,wallet,products,inventory,orders,payment,seats,users";

/**
 * `layout`: name of a process → the value of its SERVICES. `isWhole`: false if services are missing; then it does not wait for health, which
 * would never be ok.
 */
export const startPlaza = (
	layout: Record<string, string>,
	env: Record<string, string> = {},
	{ isWhole = true } = {}
): Promise<System> => startSystem({ profile: "cluster", layout, env: { ...UNLIMITED, ...env }, waitUntilReady: isWhole });

/** Embedded, with an empty database. */
export const startEmbeddedPlaza = (env: Record<string, string> = {}): Promise<System> =>
	startSystem({ profile: "embedded", env: { ...UNLIMITED, ...env } });

export const pidsOf = (system: System) => system.processes.map(({ pid }) => pid);
