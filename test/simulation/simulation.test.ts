import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { mutants } from "./mutants.ts";
import { worlds } from "./worlds.ts";

const IN_MEMORY = ["purchases", "selections", "records"];
const SEEDS = [1, 2, 3];

describe("the simulation", () => {
	for (const name of IN_MEMORY)
		it(`runs the same history with the same seed, and another with another seed: ${name}`, async () => {
			const { simulate } = await worlds[name]!();
			const hashOf = async (seed: number) => {
				const lines: string[] = [];
				const { hash, error } = await simulate(seed, lines);
				assert.ifError(error);
				return `${hash} ${lines.length}`;
			};
			const once = [];
			for (const seed of SEEDS) once.push(await hashOf(seed));
			// In reverse order: one history must not influence the next.
			for (const [index, seed] of [...SEEDS.entries()].reverse()) assert.equal(await hashOf(seed), once[index]);
			assert.equal(new Set(once).size, SEEDS.length);
		});

	// Not the same history each time: the lots of a queue come from a secret that Postgres draws.
	it("runs histories of seats on a real Postgres", async () => {
		const { simulate, close } = await worlds.seats!();
		try {
			for (const seed of SEEDS) {
				const { steps, error } = await simulate(seed);
				assert.ifError(error);
				assert.ok(steps > 0);
			}
		} finally {
			await close();
		}
	});

	it("finds the text that each mutant replaces exactly once in its source file", () => {
		for (const { name, file, find, replace } of mutants) {
			if (file === undefined) continue;
			const source = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
			assert.equal(source.split(find!).length, 2, `${name}: ${file}`);
			assert.notEqual(find, replace);
		}
		assert.equal(new Set(mutants.map(({ name }) => name)).size, mutants.length);
	});
});
