// Counts the timers that the code of a process sets, by the file that sets them. Timers inside Node itself are not counted.
import { createRequire, syncBuiltinESMExports } from "node:module";
import { add, type Counts, type Resource } from "./counts.ts";

const FOLDER = `${process.cwd()}/`;

type Timer = (...values: never[]) => unknown;
type Timers = Record<string, Timer>;

const load = createRequire(import.meta.url) as (name: string) => unknown;
/** This file's two functions, the caller, and frames of JavaScript itself between them. */
const STACK_LINES = 5;
const FILE = /((?:node_modules\/)?[^/()\s]+(?:\/[^/()\s]+){0,2}):\d+:\d+\)?$/;

function callerFile(): string {
	const { stackTraceLimit } = Error;
	Error.stackTraceLimit = STACK_LINES;
	const [, , , ...callers] = new Error().stack?.replaceAll(FOLDER, "").split("\n") ?? [];
	Error.stackTraceLimit = stackTraceLimit;
	const file = callers.map(line => FILE.exec(line)?.[1]).find(Boolean);
	return file ?? "unknown";
}

/** Counts from now on; call it before other modules import the functions of `node:timers`. */
export function countTimers(counts: Counts): void {
	const counted = (original: Timer, resource: Resource): Timer => {
		const count = (...values: never[]) => {
			add(counts, resource, callerFile());
			return original(...values);
		};
		// util.promisify(setTimeout) needs its symbol.
		for (const symbol of Object.getOwnPropertySymbols(original))
			Object.defineProperty(count, symbol, Object.getOwnPropertyDescriptor(original, symbol)!);
		return count;
	};
	// An interval counts each time it is due: that is what it costs.
	const interval =
		(original: Timer): Timer =>
		(...values: never[]) => {
			const file = callerFile();
			const [run, ...rest] = values as unknown as [(...args: unknown[]) => void, ...never[]];
			const due = (...args: unknown[]) => {
				add(counts, "timers", file);
				run(...args);
			};
			return original(due as never, ...rest);
		};
	for (const timers of [globalThis, load("node:timers")] as unknown as Timers[]) {
		timers.setTimeout = counted(timers.setTimeout!, "timers");
		timers.setImmediate = counted(timers.setImmediate!, "immediates");
		timers.setInterval = interval(timers.setInterval!);
	}
	const promises = load("node:timers/promises") as Timers;
	promises.setTimeout = counted(promises.setTimeout!, "timers");
	promises.setImmediate = counted(promises.setImmediate!, "immediates");
	const signals = AbortSignal as unknown as Timers;
	signals.timeout = counted(signals.timeout!, "timers");
	syncBuiltinESMExports();
}
