import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deadLetter, letterOf, replayOf } from "./dead-letter.ts";
import type { TopicRecord } from "./topic-log.ts";

const record = (partition: number, key: string): TopicRecord => ({
	topic: "orders",
	partition,
	offset: 40 + partition,
	key: Buffer.from(key),
	value: Buffer.from("{}"),
	headers: { own: "header" },
	timestampMs: 0
});

describe("a dead letter", () => {
	it("is replayed to the partition that it came from, whatever the number of partitions of the dead-letter topic", () => {
		for (const partition of [0, 7]) {
			const original = record(partition, "a");
			const { headers = {}, ...published } = deadLetter(original, "billing", { type: "CONFLICT", message: "no" });
			// The key decides its partition, so dead letters of one key stay in order.
			assert.equal(published.partition, undefined);
			const stored: TopicRecord = { ...original, topic: "orders.dead", partition: 0, offset: 3, headers };
			const letter = letterOf(stored)!;
			assert.deepEqual([letter.partition, letter.offset], [partition, 40 + partition]);
			const replayed = replayOf(letter);
			assert.deepEqual([replayed.topic, replayed.partition, replayed.headers!.own], ["orders", partition, "header"]);
		}
	});

	it("is not recognised without the headers of its place", () => {
		const { headers = {} } = deadLetter(record(1, "a"), "billing", { message: "no" });
		for (const name of ["dead-topic", "dead-partition", "dead-offset", "dead-group"]) {
			const { [name]: _, ...rest } = headers;
			assert.equal(letterOf({ ...record(0, "a"), topic: "orders.dead", headers: rest }), undefined, name);
		}
	});
});
