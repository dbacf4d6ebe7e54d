import { setTimeout as delay } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { connectErrorKind } from "../../connect-error.ts";
import { deadlineIn } from "../../deadline.ts";
import { isUnavailable, unavailable } from "../../errors.ts";
import { type Connection, failureOf, rootCause } from "./connection.ts";

export const REQUEST_TIMEOUT_MS = 5_000;
const RETRY_DELAY_MS = 100;

export const UNKNOWN_TOPIC = "UNKNOWN_TOPIC_OR_PARTITION";

/** Admin requests to Kafka: all share one connection, which is replaced after a failure. */
export function kafkaAdmin(open: () => Connection) {
	let closes = 0;
	let current: { connection: Connection; admin: Admin; ready: Promise<void> } | undefined;

	const connect = () => {
		if (!current) {
			const connection = open();
			const admin = connection.kafka.admin();
			current = { connection, admin, ready: admin.connect() };
		}
		return current;
	};

	const cut = () => {
		current?.connection.cut();
		current = undefined;
	};

	/**
	 * Retries within the timeout while the failure may pass; then rejects with `UNAVAILABLE`, whose root cause is the reason. A missing topic is
	 * not retried: the root cause then has type `UNKNOWN_TOPIC`.
	 */
	const request = async <T>(send: (admin: Admin) => Promise<T>, timeoutMs = REQUEST_TIMEOUT_MS): Promise<T> => {
		const deadline = deadlineIn(timeoutMs);
		const closesBefore = closes;
		for (;;) {
			const { connection, admin, ready } = connect();
			const answer = ready.then(() => send(admin));
			try {
				return await deadline.bound(answer, "Kafka");
			} catch (error) {
				const cause = rootCause(error);
				// Another request may have failed first, and cut the connection that both used.
				const isCut = current?.connection !== connection;
				if (!(isCut || isUnavailable(error) || isUnavailable(cause) || cause instanceof TypeError)) throw error;
				const reason = failureOf(connection, error);
				// Another attempt would open a connection that nobody closes.
				if (closes > closesBefore) throw unavailable("Kafka", reason);
				if (!isCut) cut();
				if (cause.type === UNKNOWN_TOPIC) throw unavailable("Kafka", cause);
				if (connectErrorKind(reason) || deadline.leftMs() < RETRY_DELAY_MS) throw unavailable("Kafka", reason);
				await delay(RETRY_DELAY_MS);
			}
		}
	};

	return {
		request,
		/** Ends the requests in flight; a later one connects again. */
		close() {
			closes++;
			cut();
		}
	};
}
