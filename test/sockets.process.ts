// A child process with many clients: it runs commands of its parent and returns their results.
import { type ChildProcess, fork } from "node:child_process";
import { flooder } from "./sockets.flood.ts";
import { nonReaders, readers } from "./sockets.readers.ts";
import { type Gateway, openScreen, type Received, type Screen } from "./sockets.screen.ts";

function screens() {
	let open: Screen[] = [];
	const have = (...what: Received[]) => open.filter(({ received }) => what.every(one => received.has(one))).length;

	return {
		async openScreens(users: string[], gateways: Gateway[], first: number) {
			open = [...open, ...users.map(user => openScreen(user, gateways, first))];
		},
		/** How many screens are connected, and how many of those have received all values. */
		async informed() {
			return {
				connected: have("connected"),
				informed: have("connected", "counts", "balance"),
				synchronized: have("synchronized")
			};
		},
		/** What each screen shows, how long it waited for its connection, and which errors occurred. */
		async results() {
			const refusals: Record<string, number> = {};
			for (const screen of open) for (const [why, times] of screen.refusals) refusals[why] = (refusals[why] ?? 0) + times;
			return {
				screens: open.map(({ values }) => values),
				waitedMs: open.map(({ connectingSinceMs, received }) => (received.get("connected") ?? Number.NaN) - connectingSinceMs),
				decreases: open.reduce((sum, screen) => sum + screen.decreases, 0),
				refusals
			};
		}
	};
}

type Commands = ReturnType<typeof screens> &
	ReturnType<typeof readers> &
	ReturnType<typeof nonReaders> &
	ReturnType<typeof flooder>;
interface Command {
	id: number;
	command: keyof Commands;
	args: never[];
}
interface CommandResult {
	id: number;
	answer?: unknown;
	error?: string;
}

function runCommands() {
	const commands: Commands = { ...screens(), ...readers(), ...nonReaders(), ...flooder() };
	process.on("message", async ({ id, command, args }: Command) => {
		const done = (commands[command] as (...args: never[]) => Promise<unknown>)(...args);
		const answer: CommandResult = await done.then(
			answer => ({ id, answer }),
			error => ({ id, error: String(error.stack) })
		);
		process.send?.(answer);
	});
	// The parent has ended in some way.
	process.on("disconnect", () => process.exit());
}

export type Clients = Commands & {
	/** Ends the process, and all its sockets with it. */
	end(): void;
};

/** Starts a client process. */
export function startClients(): Clients {
	const { NODE_TEST_CONTEXT: _, ...env } = process.env;
	const child: ChildProcess = fork(new URL(import.meta.url), { env, execArgv: [], serialization: "advanced" });
	const waiting = new Map<number, PromiseWithResolvers<unknown>>();
	let lastID = 0;
	child.on("message", ({ id, answer, error }: CommandResult) => {
		if (error === undefined) waiting.get(id)?.resolve(answer);
		else waiting.get(id)?.reject(new Error(error));
		waiting.delete(id);
	});
	child.on("exit", code => {
		for (const { reject } of waiting.values()) reject(new Error(`the clients' process ended with ${code}`));
	});
	const call = (command: string, args: unknown[]) => {
		const answer = Promise.withResolvers<unknown>();
		waiting.set(++lastID, answer);
		child.send({ id: lastID, command, args });
		return answer.promise;
	};
	return new Proxy({ end: () => child.disconnect() } as Clients, {
		get: (own, name: string) => (name === "end" ? own.end : (...args: unknown[]) => call(name, args))
	});
}

if (import.meta.main) runCommands();
