import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { deadlineIn } from "./deadline.ts";
import { takeTurns } from "./in-turn.ts";

const UNAVAILABLE = { code: 503, type: "UNAVAILABLE", data: { what: "the store" } };

describe("work in turn", () => {
	it("runs one after the other for a client, also after one that fails, and at once for another client", async () => {
		const inTurn = takeTurns("the store");
		const begun: string[] = [];
		const ends = new Map<string, () => void>();
		const run = (client: string, name: string) =>
			inTurn(client, deadlineIn(60_000), async () => {
				begun.push(name);
				await new Promise<void>(resolve => ends.set(name, resolve));
				if (name === "a1") throw new Error("failed");
				return name;
			});
		const [a1, a2, b1] = [run("a", "a1"), run("a", "a2"), run("b", "b1")];
		for (let n = 0; n < 5; n++) await nextTurn();
		assert.deepEqual(begun, ["a1", "b1"]);
		ends.get("a1")!();
		await assert.rejects(a1, /failed/);
		for (let n = 0; begun.length < 3 && n < 1_000; n++) await delay(5);
		assert.deepEqual(begun, ["a1", "b1", "a2"]);
		ends.get("a2")!();
		ends.get("b1")!();
		assert.deepEqual(await Promise.all([a2, b1]), ["a2", "b1"]);
	});

	it("never begins when its deadline is over first, and ends a turn at its deadline", async () => {
		const inTurn = takeTurns("the store");
		let hasBegun = false;
		const hangs = inTurn("a", deadlineIn(20), () => new Promise(() => {}));
		const waits = inTurn("a", deadlineIn(10), async () => {
			hasBegun = true;
		});
		await Promise.all([assert.rejects(hangs, UNAVAILABLE), assert.rejects(waits, UNAVAILABLE)]);
		assert.equal(await inTurn("a", deadlineIn(60_000), async () => "next"), "next");
		assert.equal(hasBegun, false);
	});

	it("is refused while a thousand calls of its client wait, and not for another client", async () => {
		const inTurn = takeTurns("the store");
		let end = () => {};
		const first = inTurn("a", deadlineIn(60_000), () => new Promise<void>(resolve => (end = resolve)));
		const waiting = Array.from({ length: 1_000 }, () => inTurn("a", deadlineIn(60_000), async () => {}));
		await assert.rejects(
			inTurn("a", deadlineIn(60_000), async () => {}),
			UNAVAILABLE
		);
		await inTurn("b", deadlineIn(60_000), async () => {});
		end();
		await Promise.all([first, ...waiting]);
		await inTurn("a", deadlineIn(60_000), async () => {});
	});

	it("returns to the event loop between the works of one client", async () => {
		const inTurn = takeTurns("the store");
		let [turns, isDone] = [0, false];
		const count = () => {
			turns++;
			if (!isDone) setImmediate(count);
		};
		setImmediate(count);
		const seen: number[] = [];
		await Promise.all([1, 2, 3].map(() => inTurn("a", deadlineIn(60_000), async () => seen.push(turns))));
		isDone = true;
		assert.ok(seen[0]! < seen[1]! && seen[1]! < seen[2]!, `begun in turns ${seen}`);
	});

	it("counts only waiting calls, however many a client has made before", async () => {
		const inTurn = takeTurns("the store");
		const run = () => inTurn("a", deadlineIn(60_000), async () => {});
		let earlier = run();
		for (let n = 0; n < 1_100; n++) {
			const later = run();
			await earlier;
			earlier = later;
		}
		await earlier;
	});
});
