// Model of Redis: one server, which may lose data, and a connection for each process. Scripts run unchanged.
import type { Redis } from "../../mixins/redis.ts";
import { runLua } from "./expression.ts";
import type { Faults } from "./injected-faults.ts";
import { type Actor, actAs, type Scheduler } from "./scheduler.ts";

type Value = string | Map<string, string>;
export type Dump = ReadonlyMap<string, Value>;
const SNAPSHOTS = 4;
/** Sometimes Redis is back before a consumer has committed what Redis lost. */
const LONGEST_RECONNECT_MS = [300, 4_000];

interface Connection {
	actor: Actor;
	isOpen: boolean;
	losses: number;
	listeners: (() => void)[];
}

export interface ModelRedis {
	/** A process's own connection. */
	connect(actor: Actor): Redis;
	/** A copy of the present data, for a later restart. */
	dump(): Dump;
	/** Restarts with the given data; by default with its present data, with an earlier snapshot, or empty. */
	restart(from?: Dump): void;
	/** Deletes all data; the connections stay open. */
	flush(): void;
	hash(key: string): Record<string, string>;
}

const closed = () => new Error("Connection is closed.");

export function modelRedis(scheduler: Scheduler, faults: Faults): ModelRedis {
	const { random } = scheduler;
	let data = new Map<string, Value>();
	let snapshots: Dump[] = [];
	const connections = new Set<Connection>();

	const copy = (of: Dump) => new Map(Array.from(of, ([key, value]) => [key, value instanceof Map ? new Map(value) : value]));
	const hashOf = (key: string) => {
		const value = data.get(key) ?? new Map<string, string>();
		if (!(value instanceof Map)) throw new Error(`WRONGTYPE ${key}`);
		return value;
	};
	const commands: Record<string, (key: string, ...args: unknown[]) => unknown> = {
		GET: key => data.get(key) ?? null,
		SET: (key, value) => void data.set(key, String(value)),
		HGET: (key, field) => hashOf(key).get(String(field)) ?? null,
		HMGET: (key, ...fields) => fields.map(field => hashOf(key).get(String(field)) ?? null),
		HGETALL: key => Object.fromEntries(hashOf(key)),
		HSET: (key, ...pairs) => {
			const hash = hashOf(key);
			for (let n = 0; n < pairs.length; n += 2) hash.set(String(pairs[n]), String(pairs[n + 1]));
			data.set(key, hash);
		}
	};
	const execute = (name: unknown, ...args: unknown[]) => {
		const command = commands[String(name)];
		if (!command) throw new Error(`ERR unknown command ${name}`);
		return command(...(args as [string]));
	};

	const open = (connection: Connection) => {
		connection.isOpen = true;
		for (const listener of connection.listeners) listener();
	};

	const request = async (connection: Connection, what: string, effect: () => unknown) => {
		const { losses } = connection;
		const check = () => {
			if (!connection.isOpen || connection.losses !== losses) throw closed();
		};
		check();
		await scheduler.step(`redis ${what}`);
		check();
		if (faults.shouldInject("refused")) throw new Error("OOM command not allowed");
		const answer = effect();
		if (random.chance(0.2)) snapshots = [copy(data), ...snapshots].slice(0, SNAPSHOTS);
		await scheduler.step(`redis ${what} answered`);
		check();
		if (faults.shouldInject("lost")) throw new Error("Command timed out");
		return answer;
	};

	const clientOf = (connection: Connection) => {
		const send =
			(name: string) =>
			(...args: unknown[]) =>
				request(connection, `${name} ${args[0]}`, () => execute(name, ...args));
		const client: Record<string, unknown> = {
			get: send("GET"),
			hgetall: send("HGETALL"),
			hset: send("HSET"),
			defineCommand(name: string, { lua }: { lua: string }) {
				client[name] = (keyCount: number, ...rest: (string | number)[]) =>
					request(connection, name, () => runLua(lua, rest.slice(0, keyCount).map(String), rest.slice(keyCount), execute));
			}
		};
		return client;
	};

	const cut = (connection: Connection) => {
		if (!connection.isOpen) return;
		connection.isOpen = false;
		connection.losses++;
		actAs(connection.actor, () =>
			scheduler.after(random.between(1, random.pick(LONGEST_RECONNECT_MS)), "redis reconnects", () => open(connection))
		);
	};

	return {
		connect(actor) {
			const connection: Connection = { actor, isOpen: false, losses: 0, listeners: [] };
			connections.add(connection);
			scheduler.after(0, "redis connects", () => open(connection));
			return {
				name: "redis",
				where: "memory",
				advice: "",
				client: clientOf(connection) as unknown as Redis["client"],
				get losses() {
					return connection.losses;
				},
				onReconnect: listener => void connection.listeners.push(listener),
				check: async () => {},
				close: async () => {}
			};
		},

		dump: () => copy(data),

		restart(from = random.pick([data, new Map(), ...snapshots])) {
			scheduler.note(`redis restarts with ${from.size} keys of ${data.size}`);
			data = copy(from);
			for (const connection of connections) {
				if (connection.actor.isAlive) cut(connection);
				else connections.delete(connection);
			}
		},

		flush() {
			scheduler.note("redis is flushed");
			data = new Map();
		},

		hash: key => Object.fromEntries(hashOf(key))
	};
}
