// The invariants of picks and their counts once the system is idle.
import assert from "node:assert/strict";
import { partitionOf } from "../../mixins/topics/partition.ts";
import { topics as contracts } from "../../services/contract.ts";
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
	rows: Map<string, number>;
}

/** The first pick of each id, read from the partition that owns the id. */
function firstsOn(topics: Topics) {
	const partitions = topics.partitions("Selections");
	const firsts = new Map<string, string>();
	for (const { value, partition } of partitions.flatMap(({ records }) => records)) {
		try {
			const { id, name } = contracts.Selections.message.parse(JSON.parse(String(value)));
			if (partitionOf(id, partitions.length) === partition && !firsts.has(id)) firsts.set(id, name);
		} catch {
			// A poison record is not a pick.
		}
	}
	return firsts;
}

export function checkCounts({ topics, accepted, poison, counts, stored, rows }: End) {
	const firsts = firstsOn(topics);
	for (const id of accepted) assert.ok(firsts.has(id), `${id} was acknowledged but is not on the topic`);
	const expected = new Map<string, number>();
	for (const name of firsts.values()) expected.set(name, (expected.get(name) ?? 0) + 1);
	assert.deepEqual(new Map([...stored].map(([id, { name }]) => [id, name])), firsts, "the stored picks");
	assert.deepEqual(counts, expected, "the counts");
	assert.deepEqual(rows, expected, "the summary");
	checkDead("Selections", poison, topics);
}
