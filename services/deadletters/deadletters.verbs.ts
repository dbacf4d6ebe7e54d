// What the command does, by calls to whoever holds the log: each answers the text to print.
import type { Caller } from "../define-service.ts";
import type { Arguments, Selection } from "./deadletters.arguments.ts";
import { type Letter, PAGE } from "./deadletters.contract.ts";
import { KEPT_BECAUSE, verdictOf } from "./deadletters.rules.ts";

export type Call = Caller["call"];
type Found = Letter & { isReplayed: boolean };

const countOf = (number: number) => `${number} dead letter${number === 1 ? "" : "s"}`;

/** The letters of a topic that were there when it was begun, in order; the values of the first so many. */
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
		// A mark stands behind its letter: only now is it known of all.
		for (const letter of ofPartition) found.push({ ...letter, isReplayed: replayed.has(letter.offset) });
	}
	return found;
}

/** `"wallet gave up 3: UNREADABLE, not JSON"`, the commonest first. */
function reasonsOf(found: Found[]) {
	const reasons = Map.groupBy(found, ({ group, type, reason }) => JSON.stringify({ group, type, reason }));
	return [...reasons]
		.map(([reason, some]) => ({ ...(JSON.parse(reason) as Pick<Letter, "group" | "type" | "reason">), letters: some.length }))
		.sort((one, other) => other.letters - one.letters);
}

export async function list(call: Call, asked: Arguments) {
	const lists = [];
	for (const topic of asked.topics) {
		const found = await find(call, topic, {});
		const open = found.filter(({ isReplayed }) => !isReplayed);
		if (found.length > 0 || asked.topics.length === 1)
			lists.push({ topic, letters: open.length, replayed: found.length - open.length, reasons: reasonsOf(open) });
	}
	if (asked.json) return JSON.stringify(lists, null, "\t");
	if (lists.length === 0) return "There are no dead letters";
	return lists
		.flatMap(({ topic, letters: open, replayed, reasons }) => [
			`${topic}: ${countOf(open)}${replayed > 0 ? `, and ${replayed} put back` : ""}`,
			...reasons.map(one => `\t${one.group} gave up ${one.letters}: ${one.type}, ${one.reason}`)
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
		const history = [replays > 0 ? `died again after ${replays} times back` : "", isReplayed ? "put back" : ""].filter(Boolean);
		return [
			`${topic}.dead/${partition}/${offset}, ${at}: ${group} gave it up: ${type}, ${reason}`,
			`\tcame from ${topic}/${partition}/${from}, key ${key ?? "(none)"}, ${bytes} bytes${history.length > 0 ? `; ${history.join("; ")}` : ""}`,
			`\t${value}`
		].join("\n");
	});
	const rest = found.length - some.length;
	return (
		[...lines, ...(rest > 0 ? [`and ${rest} more: --limit ${found.length} shows all`] : [])].join("\n") ||
		`${topic}: ${countOf(0)}`
	);
}

export async function replay(call: Call, { topics: [topic = ""], selection, json, ...consent }: Arguments) {
	const verdicts = Map.groupBy(await find(call, topic, selection), letter => verdictOf(letter, letter.isReplayed, consent));
	const due = verdicts.get("replay") ?? [];
	const pages = Map.groupBy(due, ({ partition, offset }) => `${partition}/${Math.floor(offset / PAGE)}`);
	let back = 0;
	for (const [first, ...more] of pages.values()) {
		const offsets = [first!, ...more].map(({ offset }) => offset);
		try {
			back += (await call("deadletters.replay", { topic, partition: first!.partition, offsets })).length;
		} catch (error) {
			// What is back is marked as such, but for the page that failed.
			throw Object.assign(error as Error, {
				message: `${(error as Error).message} (put back ${back} before that: run it again)`
			});
		}
	}
	const stays = Object.entries(KEPT_BECAUSE).map(([verdict, why]) => ({
		verdict,
		why,
		letters: verdicts.get(verdict as never)?.length ?? 0
	}));
	if (due.length > back) stays.push({ verdict: "tooLarge", why: "larger than their topic takes", letters: due.length - back });
	if (json)
		return JSON.stringify({ topic, replayed: back, stay: Object.fromEntries(stays.map(one => [one.verdict, one.letters])) });
	return [
		`${topic}: put back ${back} of ${countOf([...verdicts.values()].flat().length)}`,
		...stays.filter(one => one.letters > 0).map(one => `\t${one.letters} stay: ${one.why}`)
	].join("\n");
}
