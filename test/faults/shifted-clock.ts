/**
 * Loaded into each process of the system under test: shifts the clock of the processes that CLOCK_SHIFTS names, as on a machine whose clock is wrong.
 *
 *     env: { NODE_OPTIONS: `--import=${new URL("shifted-clock.ts", import.meta.url)}`, CLOCK_SHIFTS: JSON.stringify({ "gateway-1": 60_000 }) }
 */
import { isMainThread } from "node:worker_threads";

const { CLOCK_SHIFTS = "{}", NODE_ID = "" } = process.env;
const shiftMs = (JSON.parse(CLOCK_SHIFTS) as Record<string, number>)[NODE_ID];

if (isMainThread && shiftMs) {
	const RealDate = Date;
	const nowMs = () => RealDate.now() + shiftMs;
	globalThis.Date = new Proxy(RealDate, {
		construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [nowMs()] : args, newTarget),
		apply: () => new RealDate(nowMs()).toString(),
		get: (target, name, receiver) => (name === "now" ? nowMs : Reflect.get(target, name, receiver))
	});
}
