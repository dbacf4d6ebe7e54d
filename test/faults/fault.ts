// The interface of an injected fault.
import type { Ledger } from "../ledger.ts";
import type { System } from "../system.ts";

export interface FaultContext {
	system: System;
	ledger: Ledger;
	/** The directory of the processes' fault commands (see hook.ts). */
	commandsDir: string;
}

export interface Fault {
	/** Description with all parameters. */
	description: string;
	/** Whether a process of the system is killed, which resets its metrics. */
	kills?: boolean;
	/** Injects the fault. Resolves when it is over, except for processes that must be restarted; may resolve to a check for when the system is idle. */
	inject(context: FaultContext): Promise<void | ((timeoutMs: number) => Promise<void>)>;
}
