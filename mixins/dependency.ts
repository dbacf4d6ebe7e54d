/**
 * A server or log that services of this process need: waited for at start, checked by health, closed when the last service that uses it stops.
 *
 *     const postgres: Dependency = { name: "postgres", where: "localhost:5432", advice: "start it, or set DATABASE_URL", check, close };
 *     mixins: [dependency(postgres)]
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Logger, Service, ServiceSchema } from "moleculer";
import { createBackoff } from "./backoff.ts";
import { connectErrorKind, reasonOf } from "./connect-error.ts";
import { isUnavailable } from "./errors.ts";
import { addCheck } from "./health.ts";

export interface Dependency {
	/** Its name in health answers and log lines: `postgres`. */
	name: string;
	/** Its address, without credentials, for log lines. */
	where: string;
	/** What to do when it does not answer, for log lines: `start it, or set DATABASE_URL`. */
	advice: string;
	/** What to set when it refuses the credentials, for log lines. Default: `its credentials`. */
	access?: string;
	/** Resolves when it answers; must end by itself within a few seconds. */
	check(): Promise<void>;
	close(): Promise<void>;
}

const BACKOFF = { firstMs: 100, longestMs: 5_000 };
const WARN_EVERY_MS = 30_000;
/** How often a pause checks whether the broker is stopping. */
const STOP_CHECK_MS = 100;

type Reachable = Pick<Dependency, "name" | "where" | "advice" | "access" | "check">;

/** What is wrong, and what the operator can do about it. */
function describeProblem({ name, where, advice, access = "its credentials" }: Reachable, error: unknown): string {
	const reason = reasonOf(error);
	switch (connectErrorKind(error)) {
		case "certificate":
			return `${name} at ${where} has a certificate that is not trusted (${reason}): set NODE_EXTRA_CA_CERTS to its authority's PEM file, and use a host name that the certificate is for`;
		case "credentials":
			return `${name} at ${where} refuses the credentials (${reason}): set ${access}`;
		default:
			return `${name} does not answer at ${where} (${reason}): ${advice}`;
	}
}

/**
 * Waits, without a limit, until the dependency answers and `then` has succeeded, and resolves with true; with false if `isStopping` became
 * true first. Warns at the first failure and then every half minute. When `then` fails because the dependency is unavailable again, both are
 * repeated; any other error of `then` is rethrown.
 */
export async function waitUntilReachable(
	one: Reachable,
	logger: Logger,
	isStopping: () => boolean,
	then: () => Promise<void> = async () => {}
): Promise<boolean> {
	const backoff = createBackoff(BACKOFF);
	let warnedAtMs = Number.NEGATIVE_INFINITY;
	while (!isStopping()) {
		let hasAnswered = false;
		try {
			await one.check();
			hasAnswered = true;
			await then();
			if (warnedAtMs > 0) logger.info(`${one.name} at ${one.where} answers`);
			return true;
		} catch (error) {
			// What a stop has closed does not answer: that is no problem to report.
			if (isStopping()) break;
			if (hasAnswered && !isUnavailable(error)) throw error;
			if (performance.now() - warnedAtMs > WARN_EVERY_MS) {
				warnedAtMs = performance.now();
				logger.warn(`${describeProblem(one, error)}; retrying until it does`);
			}
		}
		// The pauses keep the process alive: a node that listens on no port would exit while it waits.
		const pauseEndsAtMs = performance.now() + backoff.nextMs();
		while (!isStopping() && performance.now() < pauseEndsAtMs) await delay(STOP_CHECK_MS);
	}
	return false;
}

const users = new WeakMap<Dependency, number>();

/** Registers one more user of the dependency. */
export const retain = (one: Dependency) => users.set(one, (users.get(one) ?? 0) + 1);

/** Removes one user; closes the dependency when none is left. */
export async function release(one: Dependency) {
	const left = (users.get(one) ?? 1) - 1;
	users.set(one, left);
	if (left === 0) await one.close();
}

/** Mixin: the service starts once the dependency answers and `whenReached` has succeeded; health includes its check. */
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
