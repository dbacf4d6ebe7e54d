// The processes of a simulated system. A killed process loses its memory and its pending work; it restarts later and knows only what the stores
// contain.
import { setTimeout as delay } from "node:timers/promises";
import { type CallingOptions, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { isUnavailable, unavailable } from "../../mixins/errors.ts";
import { actions } from "../../services/contract.ts";
import type { Random } from "../random.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

export interface Node {
	readonly name: string;
	/** The running process; undefined while the node is down. */
	readonly running: Running | undefined;
	/** Calls an action on this node; rejects with `UNAVAILABLE` if the node is down or is killed before it answers. */
	call(action: string, params: object, options?: CallingOptions): Promise<unknown>;
	start(): Promise<void>;
	kill(): void;
	freeze(forMs: number): void;
}

export interface Running {
	actor: Actor;
	broker: ServiceBroker;
	/** Called when the process is killed. */
	onExit: Set<() => void>;
}

const DOWN_MS = [10, 4_000] as const;

/** `addServices` creates the services in the broker before it starts; `onKill` is called after the process was killed. */
export function createNode(
	name: string,
	scheduler: Scheduler,
	addServices: (running: Running) => void,
	onKill: (killed: Running) => void
): Node {
	let running: Running | undefined;

	const start = () => {
		const actor: Actor = { name, isAlive: true, frozenUntilMs: 0 };
		return actAs(actor, async () => {
			const broker = new ServiceBroker({
				nodeID: name,
				logger: false,
				internalServices: false,
				skipProcessEventRegistration: true,
				validator: new ContractValidator(actions),
				uidGenerator: () => scheduler.random.uuid()
			});
			const created: Running = { actor, broker, onExit: new Set() };
			running = created;
			addServices(created);
			await broker.start();
		});
	};

	return {
		name,
		get running() {
			return running;
		},
		start,

		call(action, params, options) {
			const target = running;
			if (!target) return Promise.reject(unavailable(name));
			return new Promise((resolve, reject) => {
				const rejectCall = () => reject(unavailable(name));
				target.onExit.add(rejectCall);
				actAs(target.actor, () => target.broker.call(action, params, options))
					.then(resolve, reject)
					.finally(() => target.onExit.delete(rejectCall));
			});
		},

		kill() {
			if (!running) return;
			const killed = running;
			running = undefined;
			scheduler.note(`${name} is killed`);
			scheduler.kill(killed.actor);
			onKill(killed);
			for (const listener of killed.onExit) listener();
			actAs(undefined, () => scheduler.after(scheduler.random.between(...DOWN_MS), `${name} starts`, () => void start()));
		},

		freeze(forMs) {
			if (!running) return;
			scheduler.note(`${name} is frozen for ${forMs} ms`);
			running.actor.frozenUntilMs = scheduler.nowMs() + forMs;
		}
	};
}

/** Calls random nodes until one answers, like a client that retries. Only `UNAVAILABLE` is retried; other errors are thrown. */
export const callUntilAnswered =
	(nodes: Node[], random: Random) =>
	async (action: string, params: object): Promise<unknown> => {
		for (;;) {
			try {
				return await random.pick(nodes).call(action, params);
			} catch (error) {
				if (!isUnavailable(error)) throw error;
				await delay(random.between(1, 2_000));
			}
		}
	};
