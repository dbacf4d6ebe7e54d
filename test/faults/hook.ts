/**
 * Loaded into each process of the system under test, beside its code, which knows nothing of it: it obeys what no signal alone could say.
 *
 *     env: { NODE_OPTIONS: `--import=${new URL("hook.ts", import.meta.url)}`, FAULTS_ORDERS: dir }
 *     writeFileSync(join(dir, `${NODE_ID}.json`), JSON.stringify(order)); process.kill(pid, "SIGUSR2");
 *
 * Steps are what passes the ports, as a line of text: "postgres select 1", "postgres COMMIT of insert into …" (with all statements of the
 * transaction), "kafka produce Selections", "kafka commit wallet", "redis evalsha …", "cassandra insert into …", "call summary.raise".
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";

export type When = "before" | "after";
export type Order =
	/** Breaks every connection that the process has, to clients and to servers. */
	| { act: "cut" }
	/** Ends the process, as SIGKILL does, when it comes to such a step for the nth time, or has just had its answer and nobody else knows of it. */
	| { act: "kill"; when: When; step: string; nth: number };

let awaited: { when: When; step: RegExp; left: number } | undefined;

const pass = (when: When, step: () => string) => {
	if (awaited?.when !== when || !awaited.step.test(step())) return;
	awaited.left--;
	if (awaited.left === 0) process.kill(process.pid, "SIGKILL");
};

/** Handles are not among Node's types: what it has open just now. */
const handles = () => (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();

/** As a socket learns of it from afar: one that merely closes, without an error, is what no network does, and kafkajs would wait on it for ever. */
const reset = () => Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });

const obey = (order: Order) => {
	if (order.act === "kill") awaited = { when: order.when, step: new RegExp(order.step, "s"), left: order.nth };
	else for (const one of handles()) if (one instanceof Socket && one.remoteAddress) one.destroy(reset());
};

type Method = (this: object, ...args: never[]) => unknown;

/** Has an asynchronous method pass its step before it begins and once it has its answer, ahead of whoever waits for that. */
function watch(owner: object, name: string, stepOf: (args: unknown[]) => string) {
	const methods = owner as Record<string, Method>;
	const method = methods[name];
	if (!method) throw new Error(`there is no ${name} to watch`);
	methods[name] = function (this: object, ...args) {
		if (!awaited) return method.apply(this, args);
		const step = () => stepOf(args);
		pass("before", step);
		const answer = method.apply(this, args);
		(answer as Promise<unknown> | undefined)?.then?.(
			() => pass("after", step),
			() => {}
		);
		return answer;
	};
}

/** knex hands over a callback, and ends a transaction on the connection that it began it on. */
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
		pass("before", step);
		const answered = args.at(-1) as unknown;
		if (typeof answered === "function")
			args[args.length - 1] = ((error: unknown, ...rest: unknown[]) => {
				if (!error) pass("after", step);
				answered(error, ...rest);
			}) as never;
		return query.apply(this, args);
	};
}

if (isMainThread) {
	const { FAULTS_ORDERS = "", NODE_ID = "" } = process.env;
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
	watch(require("cassandra-driver").Client.prototype, "execute", ([text]) => `cassandra ${text}`);
	watch(require("moleculer").ServiceBroker.prototype, "call", ([action]) => `call ${action}`);
	process.on("SIGUSR2", () => obey(JSON.parse(readFileSync(join(FAULTS_ORDERS, `${NODE_ID}.json`), "utf8"))));
}
