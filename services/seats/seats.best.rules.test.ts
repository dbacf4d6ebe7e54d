// The choice of the best seats: what it must do in small halls, and what it must never do in any.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { layoutOf, type PlacedSeat, seatChooser } from "./seats.best.rules.ts";

const COUNT = 10;

/** Rows of text, the front first: `.` is a free seat, `x` a taken one, a space a gap. */
function hall(rows: string[], category = (_row: number) => "all") {
	const seats: (PlacedSeat & { isFree: boolean; name: string })[] = [];
	for (const [n, row] of rows.entries())
		for (const [index, place] of [...row].entries())
			if (place !== " ") {
				const name = `${"ABCDEFGHIJ"[n]}${index + 1}`;
				seats.push({ row: `${n}`, number: index + 1, category: category(n), isFree: place === ".", name });
			}
	const chooser = seatChooser(layoutOf(seats), position => seats[position]!.isFree);
	return {
		seats,
		chooser,
		best: (count: number, wanted?: string) => chooser.choose(count, wanted)?.map(position => seats[position]!.name)
	};
}

describe("the best seats", () => {
	for (const [name, rows, count, expected] of [
		["are in the middle of the front row", [".......", "......."], 3, ["A3", "A4", "A5"]],
		["leave no single seat at the end of a row", ["...."], 2, ["A1", "A2"]],
		["leave no single seat beside taken ones", [".....x"], 2, ["A4", "A5"]],
		["are the nearest of those that leave no single seat", ["..x....x..x"], 2, ["A6", "A7"]],
		["are in the next row if the front one leaves a single seat", ["...", "......"], 2, ["B3", "B4"]],
		["are side by side even if that leaves a single seat", ["...", "x.x"], 2, ["A1", "A2"]],
		["are a single seat between taken ones rather than part of a pair", ["x..x.x"], 1, ["A5"]],
		["are not side by side over a gap", [".. ..", "x..xx"], 3, ["A1", "A2", "A4"]],
		["are together in groups as large as there are", ["..x..x.", "....xxx"], 5, ["A7", "B1", "B2", "B3", "B4"]]
	] as const)
		it(name, () => assert.deepEqual(hall([...rows]).best(count), expected));

	it("are of the wanted category only, and rows of one name in two categories are two rows", () => {
		const { best } = hall(["....", "...."], row => (row === 0 ? "stalls" : "balcony"));
		assert.deepEqual(best(2, "balcony"), ["B1", "B2"]);
		assert.equal(best(5, "balcony"), undefined);
		assert.equal(best(1, "pit"), undefined);
		const seats = ["stalls", "balcony"].map((category, n) => ({ row: "A", number: n + 1, category }));
		const chooser = seatChooser(layoutOf(seats), () => true);
		assert.deepEqual([chooser.choose(1, "balcony"), chooser.countFree("balcony"), chooser.countFree()], [[1], 1, 2]);
	});

	it("are none if fewer are free", () => {
		const { best, chooser } = hall(["..x."]);
		assert.equal(best(4), undefined);
		assert.equal(chooser.countFree(), 3);
		assert.deepEqual(best(3), ["A1", "A2", "A4"]);
	});

	it("stay free until they are taken", () => {
		const { chooser } = hall(["......"]);
		const first = chooser.choose(2)!;
		assert.deepEqual(chooser.choose(2), first);
		chooser.take(first);
		const second = chooser.choose(2)!;
		assert.deepEqual(
			second.filter(position => first.includes(position)),
			[]
		);
	});

	const row = fc.array(fc.constantFrom(".", ".", "x", " "), { minLength: 1, maxLength: 14 }).map(places => places.join(""));
	const anyHall = fc.array(row, { minLength: 1, maxLength: 6 });
	const anyCount = fc.integer({ min: 1, max: COUNT });

	/** All ways to seat people side by side: positions, and how many single free seats each leaves. */
	const groupsOf = ({ seats }: ReturnType<typeof hall>, count: number) => {
		const free = new Map(seats.map((seat, position) => [`${seat.row} ${seat.number}`, seat.isFree ? position : undefined]));
		const at = (of: PlacedSeat, offset: number) => free.get(`${of.row} ${of.number + offset}`);
		return seats.flatMap(seat => {
			const positions = Array.from({ length: count }, (_, offset) => at(seat, offset));
			if (positions.includes(undefined)) return [];
			const left = at(seat, -1) !== undefined && at(seat, -2) === undefined;
			const right = at(seat, count) !== undefined && at(seat, count + 1) === undefined;
			return [{ positions: positions as number[], orphans: Number(left) + Number(right) }];
		});
	};

	it("are free, different, as many as wanted, and there if enough are free, in any hall", () => {
		fc.assert(
			fc.property(anyHall, anyCount, (rows, count) => {
				const some = hall(rows);
				const free = some.seats.filter(({ isFree }) => isFree).length;
				const chosen = some.chooser.choose(count);
				assert.equal(chosen?.length, free >= count ? count : undefined);
				if (!chosen) return;
				assert.deepEqual(
					chosen,
					[...new Set(chosen)].sort((a, b) => a - b)
				);
				for (const position of chosen) assert.ok(some.seats[position]!.isFree);
				assert.deepEqual(some.chooser.choose(count), chosen, "the choice has changed something");
			})
		);
	});

	it("are side by side, and leave no single seat behind, wherever that is possible", () => {
		fc.assert(
			fc.property(anyHall, anyCount, (rows, count) => {
				const some = hall(rows);
				const groups = groupsOf(some, count);
				if (groups.length === 0) return;
				const chosen = some.chooser.choose(count)!.toSorted((a, b) => a - b);
				const group = groups.find(({ positions }) => positions.toSorted((a, b) => a - b).join() === chosen.join());
				assert.ok(group, "not side by side");
				assert.equal(group.orphans, Math.min(...groups.map(({ orphans }) => orphans)));
			})
		);
	});

	it("are not farther than any other group that leaves as few single seats", () => {
		fc.assert(
			fc.property(anyHall, anyCount, (rows, count) => {
				const some = hall(rows);
				const rowNames = [...new Set(some.seats.map(seat => seat.row))];
				const distance = (positions: number[]) => {
					const [first] = positions.map(position => some.seats[position]!);
					const numbers = some.seats.filter(({ row }) => row === first!.row).map(({ number }) => number);
					const middle = (Math.min(...numbers) + Math.max(...numbers)) / 2;
					const chosen = positions.map(position => some.seats[position]!.number);
					const centre = (Math.min(...chosen) + Math.max(...chosen)) / 2;
					return rowNames.indexOf(first!.row) + Math.abs(centre - middle);
				};
				const groups = groupsOf(some, count);
				if (groups.length === 0) return;
				const fewest = Math.min(...groups.map(({ orphans }) => orphans));
				const nearest = Math.min(...groups.filter(({ orphans }) => orphans === fewest).map(one => distance(one.positions)));
				assert.equal(distance(some.chooser.choose(count)!), nearest);
			})
		);
	});

	it("fill a hall of 20,000 seats without choosing one twice", () => {
		const seats = Array.from({ length: 20_000 }, (_, n) => ({ row: `${n % 200}`, number: Math.floor(n / 200), category: "all" }));
		const large = seatChooser(layoutOf(seats), () => true);
		const taken = new Set<number>();
		for (let chosen = large.choose(COUNT); chosen; chosen = large.choose(COUNT)) {
			large.take(chosen);
			for (const position of chosen) {
				assert.ok(!taken.has(position));
				taken.add(position);
			}
		}
		assert.equal(taken.size, 20_000);
	});
});
