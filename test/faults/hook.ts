/**
 * Loaded into each process of the system under test, whose code does not know it: it executes fault commands that a signal alone cannot express.
 *
 *     env: { NODE_OPTIONS: `--import=${new URL("hook.ts", import.meta.url)}`, FAULT_COMMANDS: dir }
 *     writeFileSync(join(dir, `${NODE_ID}.json`), JSON.stringify(command)); process.kill(pid, "SIGUSR2");
 *
 * Steps are calls to stores, Kafka and actions, as a line of text: "postgres select 1", "postgres COMMIT of insert into …" (with all statements of the
 * transaction), "kafka produce Selections", "kafka commit wallet", "redis evalsha …", "cassandra insert into …", "cassandra batch insert into … insert into …", "call summary.raise".
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

export type When = "before" | "after";
export type FaultCommand =
	/** Resets every connection of the process, to clients and to servers. */
	| { act: "cut" }
	/** Kills the process with SIGKILL at the nth matching step, before it starts or directly after its result arrives. */
	| { act: "kill"; when: When; step: string; nth: number };

let crashPoint: { when: When; step: RegExp; remaining: number } | undefined;

const reportStep = (when: When, step: () => string) => {
	if (crashPoint?.when !== when || !crashPoint.step.test(step())) return;
	crashPoint.remaining--;
	if (crashPoint.remaining === 0) process.kill(process.pid, "SIGKILL");
};

/** The open handles of the process; not part of Node's types. */
const handles = () => (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();

/** The error of a connection that the peer has reset. A close without an error does not occur in a network, and kafkajs would wait forever. */
const reset = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });

const execute = (command: FaultCommand) => {
	if (command.act === "kill") crashPoint = { when: command.when, step: new RegExp(command.step, "s"), remaining: command.nth };
	else for (const one of handles()) if (one instanceof Socket && one.remoteAddress) one.destroy(reset());
};

type Method = (this: object, ...args: never[]) => unknown;

/** Wraps an asynchronous method: reports its step before it starts, and after its result arrives but before the caller gets it. */
function watch(owner: object, name: string, stepOf: (args: unknown[]) => string) {
	const methods = owner as Record<string, Method>;
	const method = methods[name];
	if (!method) throw new Error(`there is no method ${name}`);
	methods[name] = function (this: object, ...args) {
		if (!crashPoint) return method.apply(this, args);
		const step = () => stepOf(args);
		reportStep("before", step);
		const answer = method.apply(this, args);
		(answer as Promise<unknown> | undefined)?.then?.(
			() => reportStep("after", step),
			() => {}
		);
		return answer;
	};
}

/** Wraps pg's query: knex passes a callback, and ends a transaction on the connection on which it began it. */
function watchPostgres({ Client }: { Client: { prototype: object } }) {
	const methods = Client.prototype as Record<string, Method>;
	const query = methods.query as Method;
	const transactions = new WeakMap<object, string[]>();
	methods.query = function (this: object, ...args) {
		const [asked] = args as unknown as [string | { text?: string }];
		const text = typeof asked === "string" ? asked : (asked.text ?? "");
		if (/^begin/i.test(text)) transactions.set(this, []);
		else transactions.get(this)?.push(text);
		const of = /^commit/i.test(text) ? `COMMIT of ${transactions.get(this)?.join(" ")}` : text;
		if (/^(commit|rollback)/i.test(text)) transactions.delete(this);
		const step = () => `postgres ${of}`.replaceAll(/\s+/g, " ");
		reportStep("before", step);
		const answered = args.at(-1) as unknown;
		if (typeof answered === "function")
			args[args.length - 1] = ((error: unknown, ...rest: unknown[]) => {
				if (!error) reportStep("after", step);
				answered(error, ...rest);
			}) as never;
		return query.apply(this, args);
	};
}

if (isMainThread) {
	const { FAULT_COMMANDS = "", NODE_ID = "" } = process.env;
	const require = createRequire(import.meta.url);
	const kafka = require("kafkajs/src/broker/index.js").prototype;
	watchPostgres(require("pg"));
	watch(kafka, "produce", ([asked]) => {
		const { topicData } = asked as { topicData: { topic: string }[] };
		return `kafka produce ${topicData.map(({ topic }) => topic).join(" ")}`;
	});
	watch(kafka, "offsetCommit", ([asked]) => `kafka commit ${(asked as { groupId: string }).groupId}`);
	watch(require("ioredis").Redis.prototype, "sendCommand", ([command]) => {
		const { name, args } = command as { name: string; args: unknown[] };
		return `redis ${name} ${args.join(" ")}`;
	});
	const cassandra = require("cassandra-driver").Client.prototype;
	watch(cassandra, "execute", ([text]) => `cassandra ${text}`);
	watch(
		cassandra,
		"batch",
		([statements]) => `cassandra batch ${(statements as { query: string }[]).map(({ query }) => query).join(" ")}`
	);
	watch(require("moleculer").ServiceBroker.prototype, "call", ([action]) => `call ${action}`);
	process.on("SIGUSR2", () => execute(JSON.parse(readFileSync(join(FAULT_COMMANDS, `${NODE_ID}.json`), "utf8"))));
}
