// The invariants of picks and their counts once the system is idle.
import assert from "node:assert/strict";
import { partitionOf } from "../../mixins/topics/partition.ts";
import { topics as contracts } from "../../services/contract.ts";
import type { Checkpoint } from "../../services/selections/selections.rules.ts";
import type { Stored } from "../../services/selections/selections.store.ts";
import { checkDead } from "./purchases.check.ts";
import type { Topics } from "./topics.model.ts";

interface End {
	topics: Topics;
	/** Ids of picks that were acknowledged. */
	accepted: Set<string>;
	poison: string[];
	counts: Map<string, number>;
	stored: ReadonlyMap<string, Stored>;
	/** How far each partition is handled. */
	checkpoints: ReadonlyMap<number, Checkpoint>;
	rows: Map<string, number>;
}

/** The picks in the partition that owns their ids, in its order. */
function picksOn(topics: Topics) {
	const partitions = topics.partitions("Selections");
	const records = partitions.flatMap(({ records }) => records);
	return records.flatMap(({ value, partition, offset }) => {
		try {
			const { id, name } = contracts.Selections.message.parse(JSON.parse(String(value)));
			return partitionOf(id, partitions.length) === partition ? [{ id, name, partition, offset }] : [];
		} catch {
			// A poison record is not a pick.
			return [];
		}
	});
}

export function checkCounts({ topics, accepted, poison, counts, stored, checkpoints, rows }: End) {
	const picks = picksOn(topics);
	const firsts = new Map<string, string>();
	for (const { id, name } of picks) if (!firsts.has(id)) firsts.set(id, name);
	for (const id of accepted) assert.ok(firsts.has(id), `${id} was acknowledged but is not on the topic`);
	const expected = new Map<string, number>();
	for (const name of firsts.values()) expected.set(name, (expected.get(name) ?? 0) + 1);
	assert.deepEqual(new Map([...stored].map(([id, { name }]) => [id, name])), firsts, "the stored picks");
	assert.deepEqual(counts, expected, "the counts");
	assert.deepEqual(rows, expected, "the summary");
	// A topic that is created again is recognised by the checkpoint of what was handled last.
	const handled = new Map(picks.map(({ partition, offset }) => [partition, { epoch: 0, appliedOffset: offset }]));
	assert.deepEqual(checkpoints, handled, "the checkpoints");
	checkDead("Selections", poison, topics);
}
