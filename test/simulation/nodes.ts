// The processes of a simulated system. One that is killed loses all it had in memory, and whatever it was about to do; it is started again later, with
// nothing but what the stores know.
import { setTimeout as delay } from "node:timers/promises";
import { type CallingOptions, ServiceBroker } from "moleculer";
import { ContractValidator } from "../../contract/validator.ts";
import { isUnavailable, unavailable } from "../../mixins/errors.ts";
import { actions } from "../../services/contract.ts";
import type { Random } from "../random.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

export interface Node {
	readonly name: string;
	/** What runs now; undefined while it is down. */
	readonly running: Running | undefined;
	/** Calls an action there, as a door does; rejects with `UNAVAILABLE` when it dies before it has answered. */
	call(action: string, params: object, options?: CallingOptions): Promise<unknown>;
	start(): Promise<void>;
	kill(): void;
	freeze(forMs: number): void;
}

export interface Running {
	actor: Actor;
	broker: ServiceBroker;
	/** Called when it dies. */
	mourners: Set<() => void>;
}

const DOWN_MS = [10, 4_000] as const;

/** `furnish` puts the services in. */
export function createNode(
	name: string,
	scheduler: Scheduler,
	furnish: (running: Running) => void,
	onDeath: (dead: Running) => void
): Node {
	let running: Running | undefined;

	const start = () => {
		const actor: Actor = { name, isAlive: true, heldUntilMs: 0 };
		return actAs(actor, async () => {
			const broker = new ServiceBroker({
				nodeID: name,
				logger: false,
				internalServices: false,
				skipProcessEventRegistration: true,
				validator: new ContractValidator(actions),
				uidGenerator: () => scheduler.random.uuid()
			});
			const born: Running = { actor, broker, mourners: new Set() };
			running = born;
			furnish(born);
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
			const one = running;
			if (!one) return Promise.reject(unavailable(name));
			return new Promise((resolve, reject) => {
				const mourn = () => reject(unavailable(name));
				one.mourners.add(mourn);
				actAs(one.actor, () => one.broker.call(action, params, options))
					.then(resolve, reject)
					.finally(() => one.mourners.delete(mourn));
			});
		},

		kill() {
			if (!running) return;
			const dead = running;
			running = undefined;
			scheduler.note(`${name} dies`);
			scheduler.bury(dead.actor);
			onDeath(dead);
			for (const mourn of dead.mourners) mourn();
			actAs(undefined, () => scheduler.after(scheduler.random.between(...DOWN_MS), `${name} starts`, () => void start()));
		},

		freeze(forMs) {
			if (!running) return;
			scheduler.note(`${name} is frozen for ${forMs}`);
			running.actor.heldUntilMs = scheduler.nowMs() + forMs;
		}
	};
}

/** Asks some node until it is answered, as a client does; what is refused for another reason than that something is away is thrown. */
export const insist =
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
