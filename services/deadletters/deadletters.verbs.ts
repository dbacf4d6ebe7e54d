// The verbs of the command. They call the deadletters service and return the text to print.
import type { Caller } from "../define-service.ts";
import type { Arguments, Selection } from "./deadletters.arguments.ts";
import { type Letter, PAGE } from "./deadletters.contract.ts";
import { KEPT_BECAUSE, verdictOf } from "./deadletters.rules.ts";

export type Call = Caller["call"];
type Found = Letter & { isReplayed: boolean };

const countOf = (number: number) => `${number} dead letter${number === 1 ? "" : "s"}`;

/** The letters that a topic has at the start of the call, in order; only the first `values` of them with their values. */
async function find(call: Call, topic: string, { key, partition, offset }: Selection, values = 0): Promise<Found[]> {
	const found: Found[] = [];
	for (const { partition: one, end } of await call("deadletters.partitions", { topic })) {
		if (partition !== undefined && partition !== one) continue;
		const replayed = new Set<number>();
		const ofPartition: Letter[] = [];
		for (let from = offset ?? 0; from < end; ) {
			const page = await call("deadletters.read", { topic, partition: one, from, key });
			if (page.next === from) break;
			for (const letter of page.letters) {
				if (letter.offset >= end || !letter.matchesKey || (offset ?? letter.offset) !== letter.offset) continue;
				ofPartition.push(found.length + ofPartition.length < values ? letter : { ...letter, value: "" });
			}
			for (const mark of page.replayed) replayed.add(mark);
			from = page.next;
		}
		// A mark comes after its letter, so it is known only at the end of the partition.
		for (const letter of ofPartition) found.push({ ...letter, isReplayed: replayed.has(letter.offset) });
	}
	return found;
}

/** Counts by group, type and reason, the most frequent first. */
function reasonsOf(found: Found[]) {
	const reasons = Map.groupBy(found, ({ group, type, reason }) => JSON.stringify({ group, type, reason }));
	return [...reasons]
		.map(([reason, some]) => ({ ...(JSON.parse(reason) as Pick<Letter, "group" | "type" | "reason">), letters: some.length }))
		.sort((one, other) => other.letters - one.letters);
}

export async function list(call: Call, request: Arguments) {
	const lists = [];
	for (const topic of request.topics) {
		const found = await find(call, topic, {});
		const open = found.filter(({ isReplayed }) => !isReplayed);
		if (found.length > 0 || request.topics.length === 1)
			lists.push({ topic, letters: open.length, replayed: found.length - open.length, reasons: reasonsOf(open) });
	}
	if (request.json) return JSON.stringify(lists, null, "\t");
	if (lists.length === 0) return "There are no dead letters";
	return lists
		.flatMap(({ topic, letters: open, replayed, reasons }) => [
			`${topic}: ${countOf(open)}${replayed > 0 ? `, and ${replayed} replayed` : ""}`,
			...reasons.map(one => `\t${one.group} dead-lettered ${one.letters}: ${one.type}, ${one.reason}`)
		])
		.join("\n");
}

export async function show(call: Call, { topics: [topic = ""], selection, limit, json }: Arguments) {
	const found = await find(call, topic, selection, limit);
	const some = found.slice(0, limit);
	if (json)
		return JSON.stringify(
			some.map(({ matchesKey, ...letter }) => letter),
			null,
			"\t"
		);
	const lines = some.map(({ partition, offset, from, group, type, reason, at, key, value, bytes, replays, isReplayed }) => {
		const history = [replays > 0 ? `dead-lettered again after ${replays} replays` : "", isReplayed ? "replayed" : ""].filter(
			Boolean
		);
		return [
			`${topic}.dead/${partition}/${offset}, ${at}: ${group} dead-lettered it: ${type}, ${reason}`,
			`\tcame from ${topic}/${partition}/${from}, key ${key ?? "(none)"}, ${bytes} bytes${history.length > 0 ? `; ${history.join("; ")}` : ""}`,
			`\t${value}`
		].join("\n");
	});
	const rest = found.length - some.length;
	return (
		[...lines, ...(rest > 0 ? [`and ${rest} more: use --limit ${found.length} to show all`] : [])].join("\n") ||
		`${topic}: ${countOf(0)}`
	);
}

export async function replay(call: Call, { topics: [topic = ""], selection, json, ...consent }: Arguments) {
	const verdicts = Map.groupBy(await find(call, topic, selection), letter => verdictOf(letter, letter.isReplayed, consent));
	const due = verdicts.get("replay") ?? [];
	const pages = Map.groupBy(due, ({ partition, offset }) => `${partition}/${Math.floor(offset / PAGE)}`);
	let replayed = 0;
	for (const [first, ...more] of pages.values()) {
		const offsets = [first!, ...more].map(({ offset }) => offset);
		try {
			replayed += (await call("deadletters.replay", { topic, partition: first!.partition, offsets })).length;
		} catch (error) {
			// Replayed letters are marked, except those of the page that failed.
			throw Object.assign(error as Error, {
				message: `${(error as Error).message} (replayed ${replayed} before that: run the command again)`
			});
		}
	}
	const kept = Object.entries(KEPT_BECAUSE).map(([verdict, why]) => ({
		verdict,
		why,
		letters: verdicts.get(verdict as never)?.length ?? 0
	}));
	if (due.length > replayed) kept.push({ verdict: "tooLarge", why: "too large for their topic", letters: due.length - replayed });
	if (json) return JSON.stringify({ topic, replayed, stay: Object.fromEntries(kept.map(one => [one.verdict, one.letters])) });
	return [
		`${topic}: replayed ${replayed} of ${countOf([...verdicts.values()].flat().length)}`,
		...kept.filter(one => one.letters > 0).map(one => `\t${one.letters} not replayed: ${one.why}`)
	].join("\n");
}
