import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Outgoing } from "../topics/topic-log.ts";
import { proofsWith } from "./proof.ts";

describe("the proof of a record", () => {
	const MINUTE_MS = 60_000;
	let nowMs = Date.UTC(2030, 0, 1);
	const { sign, isProven } = proofsWith("key", ["seq"], () => nowMs);
	const record = { topic: "numbered", key: "a", value: '{"n":1}', headers: { seq: "1", "request-id": "r" } };
	/** As a consumer reads it. */
	const read = ({ topic, value, headers = {} }: Outgoing) => ({ topic, value: Buffer.from(value), headers });
	const signed = read(sign(record));

	it("holds for what was signed, and leaves key, value and the other headers as they were", () => {
		assert.ok(isProven(signed));
		const { headers, ...more } = sign(record);
		assert.deepEqual(
			[more, { ...headers, proof: "" }],
			[
				{ topic: "numbered", key: "a", value: '{"n":1}' },
				{ seq: "1", "request-id": "r", proof: "" }
			]
		);
		assert.ok(isProven(read(sign({ topic: "numbered", key: null, value: "" }))), "without headers");
	});

	it("holds whatever headers are added on the way", () => {
		assert.ok(isProven({ ...signed, headers: { ...signed.headers, "origin-topic": "numbered", replays: "1" } }));
	});

	it("fails for another topic, value, proven header, time, key, or set of proven headers", () => {
		const [time, hmac] = signed.headers.proof!.split(" ") as [string, string];
		const changes: Record<string, Parameters<typeof isProven>[0]> = {
			topic: { ...signed, topic: "other" },
			value: { ...signed, value: Buffer.from('{"n":2}') },
			"no value": { ...signed, value: null },
			header: { ...signed, headers: { ...signed.headers, seq: "2" } },
			"no header": { ...signed, headers: { proof: signed.headers.proof! } },
			time: { ...signed, headers: { ...signed.headers, proof: `${Number(time) + 1} ${hmac}` } },
			cut: { ...signed, headers: { ...signed.headers, proof: `${time} ${hmac.slice(1)}` } },
			empty: { ...signed, headers: { seq: "1", proof: "" } },
			none: { ...signed, headers: { seq: "1" } },
			"another key": read(proofsWith("other", ["seq"], () => nowMs).sign(record)),
			"other headers": read(proofsWith("key", ["seq", "total"], () => nowMs).sign(record))
		};
		for (const [what, changed] of Object.entries(changes)) assert.ok(!isProven(changed), what);
	});

	it("fails for a record that was signed long ago, and holds for a clock that differs by a minute", () => {
		const startMs = nowMs;
		for (const [offsetMs, holds] of [
			[-MINUTE_MS, true],
			[4 * MINUTE_MS, true],
			[6 * MINUTE_MS, false],
			[-6 * MINUTE_MS, false]
		] as const) {
			nowMs = startMs + offsetMs;
			assert.equal(isProven(signed), holds, `${offsetMs} ms`);
		}
		nowMs = startMs;
	});
});
