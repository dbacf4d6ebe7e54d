import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { action } from "../../contract/action.ts";
import { unavailable } from "../../mixins/errors.ts";
import { etagGet, keptTexts } from "./etag-get.ts";

interface Note {
	version: number;
	text: string;
}
const contract = action({
	params: z.any(),
	result: z.object({ version: z.number(), text: z.string() }),
	who: "anyone",
	rest: "GET /notes/:id",
	etag: ({ version }: Note) => String(version)
});

const free = async () => {};

/** A result that counts how often it is serialised. */
const counted = (note: Note) => {
	const counts = { serialised: 0 };
	const toJSON = () => {
		counts.serialised++;
		return note;
	};
	return { ...note, toJSON, counts };
};

describe("responses that requests share", () => {
	it("are from one call for all requests with the same params that arrive during another call, and serialised once", async () => {
		const share = etagGet({ maxRequestsPerSecond: 0 });
		const first = Promise.withResolvers<Note>();
		const called = Promise.withResolvers<void>();
		const [one, two] = [counted({ version: 1, text: "old" }), counted({ version: 2, text: "new" })];
		const earlier = share("notes.get", contract, { id: "a" }, () => {
			called.resolve();
			return first.promise;
		});
		await called.promise;
		let calls = 0;
		const call = async () => {
			calls++;
			return two;
		};
		const later = Array.from({ length: 50 }, () => share("notes.get", contract, { id: "a" }, call));
		const other = await share("notes.get", contract, { id: "b" }, async () => counted({ version: 1, text: "other" }));
		assert.equal(calls, 0, "a shared call began before the call under way had ended");
		first.resolve(one);
		const { tag, text } = await earlier;
		assert.deepEqual([tag, (await text(free)).toString()], ['"1"', '{"version":1,"text":"old"}']);
		for (const response of await Promise.all(later))
			assert.deepEqual([response.tag, (await response.text(free)).toString()], ['"2"', '{"version":2,"text":"new"}']);
		assert.deepEqual([calls, two.counts.serialised], [1, 1]);
		assert.deepEqual([other.tag, (await other.text(free)).toString()], ['"1"', '{"version":1,"text":"other"}']);
	});

	it("are serialised again only when the tag has changed, and not for a client that needs only the tag", async () => {
		const share = etagGet({ maxRequestsPerSecond: 0 });
		let notes = [counted({ version: 1, text: "x" }), counted({ version: 1, text: "x" }), counted({ version: 2, text: "y" })];
		const get = () => share("notes.get", contract, { id: "a" }, async () => notes[0]);
		assert.equal((await get()).tag, '"1"');
		assert.equal(notes[0]!.counts.serialised, 0);
		const [old, same, changed] = notes;
		for (notes of [[old!], [same!], [changed!]]) await (await get()).text(free);
		assert.deepEqual(
			[old, same, changed].map(note => note!.counts.serialised),
			[1, 0, 1]
		);
		assert.equal((await (await get()).text(free)).toString(), '{"version":2,"text":"y"}');
	});

	it("fail for all of their requests with the call, and the next request calls again", async () => {
		const share = etagGet({ maxRequestsPerSecond: 0 });
		const get = (call: () => Promise<Note>) => share("notes.get", contract, { id: "a" }, call);
		const fail = () => Promise.reject(unavailable("Postgres"));
		for (const { reason } of (await Promise.allSettled([get(fail), get(fail)])) as PromiseRejectedResult[])
			assert.equal(reason.type, "UNAVAILABLE");
		assert.equal((await get(async () => ({ version: 3, text: "" }))).tag, '"3"');
	});
});

it("kept texts take limited memory: the one that was not used for longest is dropped", () => {
	let made: string[] = [];
	const { textOf } = keptTexts(40);
	const get = (key: string) =>
		textOf(key, "1", () => {
			made.push(key);
			return "x".repeat(9);
		}).length;
	for (const key of ["a", "b", "c", "d", "a", "e"]) assert.equal(get(key), 9);
	assert.deepEqual(made, ["a", "b", "c", "d", "e"]);
	made = [];
	for (const key of ["a", "c", "b"]) get(key);
	assert.deepEqual(made, ["b"]);
	// A text that alone is too large is not kept, and nothing else is then.
	const large = () => textOf("large", "1", () => "x".repeat(50)).length;
	assert.deepEqual([large(), large()], [50, 50]);
	made = [];
	get("a");
	assert.deepEqual(made, ["a"]);
});

it("texts that are not kept have a known size: clients cannot make them cheap by requesting others meanwhile", () => {
	const { costOf, textOf } = keptTexts(100_000, 3);
	const get = (key: string) => textOf(key, "1", () => "x".repeat(80_000));
	assert.equal(costOf("a", "1"), undefined);
	get("a");
	assert.equal(costOf("a", "1"), 2);
	get("b");
	assert.equal(costOf("a", "1"), 5, "a was dropped, and must be serialised again");
	for (const key of ["a", "c", "d"]) get(key);
	assert.deepEqual([costOf("b", "1"), costOf("a", "1")], [undefined, 5], "more than three sizes are remembered");
});

it("a text of which the client's requests are used up is not answered, and before it is serialised if its size is known", async () => {
	const share = etagGet({ maxRequestsPerSecond: 1_000 });
	const refused = new Error("too many");
	for (const [version, serialised] of [
		[1, 1],
		[2, 0]
	] as const) {
		const note = counted({ version, text: "x".repeat(50_000) });
		const { text } = await share("notes.get", contract, { id: "a" }, async () => note);
		await assert.rejects(
			text(() => Promise.reject(refused)),
			refused
		);
		assert.equal(note.counts.serialised, serialised);
	}
});

it("a text counts as a request for each started 16 KiB to serialise it or 64 KiB to send it again, at most as a full burst", async () => {
	const costs = async (maxRequestsPerSecond: number) => {
		const share = etagGet({ maxRequestsPerSecond });
		const get = (version: number) =>
			share("notes.get", contract, { id: "a" }, async () => ({ version, text: "x".repeat(200_000) }));
		const further: number[] = [];
		for (const version of [1, 1, 2, 2]) {
			const { text } = await get(version);
			await text(async requests => void further.push(requests));
		}
		return further;
	};
	// Of the first response the size is not known before it is serialised.
	assert.deepEqual(await costs(1_000), [12, 3, 12, 3]);
	assert.deepEqual(await costs(1), [4, 3, 4, 3]);
	assert.ok(
		(await costs(0)).every(further => further <= 0),
		"without a limit"
	);
});
