// Proves that this installation published a record: a header with an HMAC, whose key is stored only in its own Postgres. A record that was mirrored from
// another Kafka, or forged, has no valid proof; the proof of a record that was restored from a backup is too old. Checking costs one hash and no query.
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Headers, Outgoing, TopicRecord } from "../topics/topic-log.ts";

/** Header: the time of the publication in ms since 1970, and the HMAC. */
const PROOF = "proof";
const FORMAT = /^(\d{1,16}) ([\w-]{43})$/;
/** After this time Postgres may have been restored to a state without the record. */
const VALID_MS = 5 * 60_000;

/** Whether the record carries a proof, valid or not. */
export const hasProof = ({ headers }: Pick<TopicRecord, "headers">) => headers[PROOF] !== undefined;

export interface Proofs {
	/** The record with its proof among its headers. */
	sign(record: Outgoing): Outgoing;
	/** Whether the record was signed with this key within the last five minutes, and neither its value nor the proven headers have changed since. */
	isProven(record: Pick<TopicRecord, "topic" | "value" | "headers">): boolean;
}

/** `headers`: the names of the headers that are proven together with the topic and the value. `nowMs`: the time in ms since 1970. */
export function proofsWith(key: string, headers: readonly string[], nowMs = Date.now): Proofs {
	const hmacOf = (time: string, topic: string, value: string | Buffer, given: Headers) =>
		createHmac("sha256", key)
			.update([time, topic, ...headers.map(name => given[name] ?? ""), ""].join("\n"))
			.update(value)
			.digest("base64url");

	return {
		sign(record) {
			const { topic, value, headers: given = {} } = record;
			const time = String(Math.trunc(nowMs()));
			return { ...record, headers: { ...given, [PROOF]: `${time} ${hmacOf(time, topic, value, given)}` } };
		},

		isProven({ topic, value, headers: given }) {
			const [, time, hmac] = FORMAT.exec(given[PROOF] ?? "") ?? [];
			if (time === undefined || hmac === undefined || value === null || Math.abs(nowMs() - Number(time)) > VALID_MS) return false;
			return timingSafeEqual(Buffer.from(hmac), Buffer.from(hmacOf(time, topic, value, given)));
		}
	};
}
