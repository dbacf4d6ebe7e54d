/**
 * Health checks of one broker: each mixin adds its own, and a health endpoint reads them all.
 *
 *     addCheck(broker, "postgres", async () => { await knex.raw("select 1"); return "ok"; });
 *     await checksOf(broker);                // { postgres: "ok" }, or a text that says what is wrong
 */
import type { ServiceBroker } from "moleculer";
import { withTimeout } from "./deadline.ts";

/** Resolves with `ok`, or with a text that says what is wrong. A rejection counts as `unavailable`. */
export type Check = () => Promise<string>;

const CHECK_TIMEOUT_MS = 1_000;

const checks = new WeakMap<ServiceBroker, Map<string, Check>>();

/** Adds a check; a second one under the same name replaces the first. */
export function addCheck(broker: ServiceBroker, name: string, check: Check) {
	const known = checks.get(broker) ?? new Map<string, Check>();
	checks.set(broker, known.set(name, check));
}

const run = (check: Check) =>
	withTimeout(
		// The reason is in the log: health answers leave the process and must not name hosts.
		Promise.resolve()
			.then(check)
			.catch(() => "unavailable"),
		CHECK_TIMEOUT_MS,
		() => "no answer within 1 s"
	);

/** Runs every check of this node. Never rejects, and takes about a second at most. */
export async function checksOf(broker: ServiceBroker): Promise<Record<string, string>> {
	const known = [...(checks.get(broker) ?? [])];
	return Object.fromEntries(await Promise.all(known.map(async ([name, check]) => [name, await run(check)] as const)));
}
