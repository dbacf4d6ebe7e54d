import assert from "node:assert/strict";
import { it } from "node:test";
import { perTurn } from "./per-turn.ts";

const nextTurn = () => new Promise(setImmediate);

it("starts at most the given number of works of an address in one turn, the others in later turns, in order, and does not delay other addresses", async () => {
	const startInTurn = perTurn(3);
	const started: string[] = [];
	for (let n = 1; n <= 8; n++) startInTurn("a", () => started.push(`a${n}`));
	startInTurn("b", () => started.push("b1"));
	assert.deepEqual(started.splice(0), ["a1", "a2", "a3", "b1"]);
	await nextTurn();
	startInTurn("a", () => started.push("a9"));
	assert.deepEqual(started.splice(0), ["a4", "a5", "a6"]);
	await nextTurn();
	assert.deepEqual(started.splice(0), ["a7", "a8", "a9"]);
	startInTurn("a", () => started.push("a10"));
	assert.equal(started.length, 0);
	await nextTurn();
	startInTurn("a", () => started.push("a11"));
	assert.deepEqual(started, ["a10", "a11"]);
});
