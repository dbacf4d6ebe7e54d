import { setTimeout as delay } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { connectErrorKind } from "../../connect-error.ts";
import { isUnavailable, unavailable } from "../../errors.ts";
import { type Connection, failureOf, rootCause, within } from "./connection.ts";

export const ANSWER_WITHIN_MS = 5_000;
const ASK_AGAIN_AFTER_MS = 100;

export const UNKNOWN_TOPIC = "UNKNOWN_TOPIC_OR_PARTITION";

/** Questions to Kafka as a whole: one connection for all of them, made anew after one that failed. */
export function kafkaAdmin(open: () => Connection) {
	let asking: { connection: Connection; admin: Admin; ready: Promise<void> } | undefined;

	const asked = () => {
		if (!asking) {
			const connection = open();
			const admin = connection.kafka.admin();
			asking = { connection, admin, ready: admin.connect() };
		}
		return asking;
	};

	const close = () => {
		asking?.connection.cut();
		asking = undefined;
	};

	/**
	 * Asks again for as long as a failure may pass; then rejects with `UNAVAILABLE`, whose root cause says why. A topic that is not there is
	 * a failure that does not pass: the root cause then has type `UNKNOWN_TOPIC`.
	 */
	const ask = async <T>(question: (admin: Admin) => Promise<T>, timeoutMs = ANSWER_WITHIN_MS): Promise<T> => {
		const deadlineMs = Date.now() + timeoutMs;
		for (;;) {
			const { connection, admin, ready } = asked();
			const answer = ready.then(() => question(admin));
			try {
				return await within(Math.max(1, deadlineMs - Date.now()), "Kafka", answer);
			} catch (error) {
				const cause = rootCause(error);
				// Another question may have failed first, and cut the connection that both were asked on.
				const isCut = asking?.connection !== connection;
				if (!(isCut || isUnavailable(error) || isUnavailable(cause) || cause instanceof TypeError)) throw error;
				const reason = failureOf(connection, error);
				if (!isCut) close();
				if (cause.type === UNKNOWN_TOPIC) throw unavailable("Kafka", cause);
				if (connectErrorKind(reason) || Date.now() + ASK_AGAIN_AFTER_MS > deadlineMs) throw unavailable("Kafka", reason);
				await delay(ASK_AGAIN_AFTER_MS);
			}
		}
	};

	return { ask, close };
}
