/**
 * What a process needs from outside (a server, a log): waited for at start, asked again by every health check, closed with its last user.
 *
 *     const postgres: Dependency = { name: "postgres", where: "localhost:5432", advice: "start it, or set DATABASE_URL", check, close };
 *     mixins: [dependency(postgres)]        // started: waits until it answers; stopped: the last service to stop closes it
 *     await checksOf(broker)                 // { postgres: "ok" } or what is wrong
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger, Service, ServiceBroker, ServiceSchema } from "moleculer";
import { connectErrorKind, reasonOf } from "./connect-error.ts";
import { isUnavailable } from "./errors.ts";

export interface Dependency {
	/** Its name in health answers: `postgres`. */
	name: string;
	/** Where it is looked for, without credentials. */
	where: string;
	/** What a person can do when it is not there. */
	advice: string;
	/** The variables that hold its credentials. */
	access?: string;
	/** Resolves when it answers; bounded by itself to a few seconds. */
	check(): Promise<void>;
	close(): Promise<void>;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const SAY_AGAIN_AFTER_MS = 30_000;
const CHECK_TIMEOUT_MS = 1_000;

type Check = () => Promise<string>;
const checks = new WeakMap<ServiceBroker, Map<string, Check>>();

/** Adds a line to this node's health: `ok`, or what is wrong. */
export function addCheck(broker: ServiceBroker, name: string, check: Check) {
	const known = checks.get(broker) ?? new Map<string, Check>();
	checks.set(broker, known.set(name, check));
}

const bounded = async (check: Check) => {
	const timer = new AbortController();
	const tooLate = delay(CHECK_TIMEOUT_MS, "no answer within 1 s", { signal: timer.signal, ref: false });
	try {
		return await Promise.race([check(), tooLate]);
	} catch {
		// Why is in the log; what leaves the process names nothing inside.
		return "away";
	} finally {
		timer.abort();
		tooLate.catch(() => {});
	}
};

/** This node's health, line by line. Never rejects, and answers within about a second. */
export async function checksOf(broker: ServiceBroker): Promise<Record<string, string>> {
	const known = [...(checks.get(broker) ?? [])];
	return Object.fromEntries(await Promise.all(known.map(async ([name, check]) => [name, await bounded(check)] as const)));
}

type Reachable = Pick<Dependency, "name" | "where" | "advice" | "access" | "check">;

/** What is wrong, and what a person can do about it. */
function trouble({ name, where, advice, access = "its credentials" }: Reachable, error: unknown): string {
	const reason = reasonOf(error);
	switch (connectErrorKind(error)) {
		case "certificate":
			return `${name} at ${where} shows a certificate that is not trusted (${reason}): set NODE_EXTRA_CA_CERTS to its authority's PEM file, and name a host that it is for`;
		case "credentials":
			return `${name} at ${where} does not let us in (${reason}): set ${access}`;
		default:
			return `${name} does not answer at ${where} (${reason}): ${advice}`;
	}
}

/**
 * Resolves with true once it answers and `then` has been done, however long that takes; says so in one line, and again every half minute. What
 * fails in `then` because the dependency has gone again is tried again; anything else it throws is thrown. False if the broker stopped meanwhile.
 */
export async function waitUntilReachable(
	one: Reachable,
	logger: Logger,
	isStopping: () => boolean,
	then: () => Promise<void> = async () => {}
): Promise<boolean> {
	let pauseMs = FIRST_PAUSE_MS;
	let saidAtMs = Number.NEGATIVE_INFINITY;
	while (!isStopping()) {
		let hasAnswered = false;
		try {
			await one.check();
			hasAnswered = true;
			await then();
			if (saidAtMs > 0) logger.info(`${one.name} at ${one.where} answers`);
			return true;
		} catch (error) {
			if (hasAnswered && !isUnavailable(error)) throw error;
			if (performance.now() - saidAtMs > SAY_AGAIN_AFTER_MS) {
				saidAtMs = performance.now();
				logger.warn(`${trouble(one, error)}; trying again until it does`);
			}
		}
		// This keeps the process alive: a node without a port of its own would end while it waits.
		await delay(pauseMs);
		pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
	}
	return false;
}

const users = new WeakMap<Dependency, number>();

/** Counts a user in. */
export const retain = (one: Dependency) => users.set(one, (users.get(one) ?? 0) + 1);

/** Counts a user out; the last one closes it. */
export async function release(one: Dependency) {
	const left = (users.get(one) ?? 1) - 1;
	users.set(one, left);
	if (left === 0) await one.close();
}

/** Mixin: the service starts once the dependency answers, and health shows it. */
export const dependency = (one: Dependency, whenReached?: () => Promise<void>): Partial<ServiceSchema> => ({
	created(this: Service) {
		retain(one);
		addCheck(this.broker, one.name, () => one.check().then(() => "ok"));
	},
	async started(this: Service) {
		await waitUntilReachable(one, this.logger, () => this.broker.stopping, whenReached);
	},
	async stopped() {
		await release(one);
	}
});
