import { setTimeout as delay } from "node:timers/promises";
import type { Admin } from "kafkajs";
import { deadlineIn } from "../../deadline.ts";
import { type Connection, failureOf } from "./connection.ts";

const CHECK_EVERY_MS = 2_000;
const PROBE_TIMEOUT_MS = 3_000;
const HANG_AFTER_MS = 10_000;
/** Kafka may be well and only these connections dead (a firewall dropped them), which no retry on them can notice. */
const RECONNECT_AFTER_MS = 20_000;

export interface HangDetectorOptions {
	connection: Connection;
	admin: Admin;
	/** How long the group has not confirmed the consumer. */
	silentMs(): number;
	/** Within this time silence is normal. */
	sessionTimeoutMs: number;
	/** Called repeatedly while Kafka does not answer. */
	onUnavailable(reason: string): void;
	/** Called when the consumer must be replaced. */
	onHang(error: Error): void;
	signal: AbortSignal;
}

/**
 * Detects a kafkajs consumer that hangs. During a short outage of Kafka it keeps its membership and must not be replaced; one that stays silent
 * although Kafka answers, or on connections that do not answer, never recovers.
 */
export async function detectHang(options: HangDetectorOptions): Promise<void> {
	const { connection, admin, silentMs, sessionTimeoutMs, onUnavailable, onHang, signal } = options;
	while (!signal.aborted) {
		await delay(CHECK_EVERY_MS, undefined, { signal }).catch(() => {});
		if (signal.aborted || silentMs() < sessionTimeoutMs) continue;
		try {
			await deadlineIn(PROBE_TIMEOUT_MS).bound(admin.describeCluster(), "Kafka");
			if (silentMs() > HANG_AFTER_MS) onHang(new Error("the consumer is silent although Kafka answers"));
		} catch (error) {
			const failure = failureOf(connection, error);
			onUnavailable(failure.message);
			if (silentMs() > RECONNECT_AFTER_MS) onHang(failure);
		}
	}
}
