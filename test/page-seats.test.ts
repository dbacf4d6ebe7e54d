// The modules of the shows page that need no browser: the seats, their layout, the pick, the holds, the plan of a show, and how changes are followed.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

// The page's modules are plain JavaScript, served unchanged.
const load = (file: string) => import(new URL(`../public/js/${file}`, import.meta.url).href);
const { createSeatStore } = await load("seat-store.js");
const { layoutOf, seatAt, seatByKey } = await load("seat-layout.js");
const { createPick } = await load("seat-pick.js");
const { createHoldStore } = await load("hold-store.js");
const { createHolding } = await load("seat-holding.js");
const { Refused } = await load("retry.js");
const { watchSeats } = await load("seat-watch.js");
const { MAX_SEATS, planOf, rowsBetween } = await load("show-plan.js");
const { pathOf, hueOf, STATE_NAMES } = await load("seat-shapes.js");
const { rangesText } = await load("seat-legend.js");
const { restText, sumOf, takenText } = await load("seat-words.js");

const seat = (row: string, number: number, status = "free", category = "stalls") => ({
	seat: `${row}${number}`,
	row,
	number,
	category,
	price: 10,
	status
});
const map = (version: number, ...seats: object[]) => ({ showId: "s", version, seats });
const update = (version: number, name: string, status: string, showId = "s") => ({
	showId,
	version,
	seats: [{ seat: name, status }]
});
const block = (from: string, to: string, seats: string, category = "stalls", price = "10") => ({
	from,
	to,
	seats,
	category,
	price
});

describe("the page's seats", () => {
	it("change with each version in order, ignore an old one, and report a missing one", () => {
		const store = createSeatStore();
		assert.equal(store.read(map(4, seat("A", 1), seat("A", 2))), undefined, "another show must be drawn");
		assert.deepEqual(store.apply(update(5, "A1", "held")), ["A1"]);
		assert.deepEqual(store.apply(update(5, "A1", "free")), []);
		assert.equal(store.apply(update(7, "A2", "sold")), undefined);
		assert.deepEqual([store.get("A1").status, store.get("A2").status], ["held", "free"]);
		assert.deepEqual(store.read(map(7, seat("A", 1), seat("A", 2, "sold"))), ["A1", "A2"]);
		assert.deepEqual(store.apply(update(8, "A2", "sold")), [], "nothing changes");
		assert.deepEqual([...store.free()], [["stalls", 1]]);
		assert.equal(store.apply(update(9, "A1", "held", "other")), undefined);
	});

	it("accept a whole map of a lower version: the server's is the truth", () => {
		const store = createSeatStore();
		store.read(map(9, seat("A", 1, "sold")));
		assert.deepEqual(store.read(map(2, seat("A", 1))), ["A1"]);
		assert.deepEqual(store.apply(update(3, "A1", "held")), ["A1"]);
	});
});

describe("the watch over seats", () => {
	/** A server whose answers the test gives; `got` are the maps and the versions that the page applied. */
	const open = () => {
		const asked: { event: string; answer: (answer: object) => void }[] = [];
		const got: string[] = [];
		const store = createSeatStore();
		const watch = watchSeats({
			showId: "s",
			ask: (event: string) => new Promise(resolve => asked.push({ event, answer: resolve })),
			get: () => assert.fail("not over HTTP"),
			onMap: (whole: { version: number }) => {
				got.push(`map ${whole.version}`);
				store.read(whole);
			},
			onUpdate: (change: { version: number }) => {
				const changed = store.apply(change);
				if (changed?.length) got.push(`change ${change.version}`);
				return changed !== undefined;
			},
			showProblem: () => {}
		});
		return { asked, got, watch };
	};
	const answered = async ({ answer }: { answer: (answer: object) => void }, seats: object) => {
		answer({ ok: true, seats });
		await new Promise(setImmediate);
	};

	it("applies changes that arrive before the map after it, and subscribes again once when a version is missing", async () => {
		const { asked, got, watch } = open();
		watch.connected();
		watch.updated(update(2, "A1", "held"));
		await answered(asked[0]!, map(1, seat("A", 1), seat("A", 2)));
		assert.deepEqual(got, ["map 1", "change 2"]);
		for (const version of [4, 5, 6]) watch.updated(update(version, "A2", "held"));
		assert.equal(asked.length, 2, "one subscription for one gap");
		watch.updated(update(7, "A1", "sold"));
		await answered(asked[1]!, map(6, seat("A", 1, "held"), seat("A", 2, "held")));
		assert.deepEqual(got, ["map 1", "change 2", "map 6", "change 7"]);
		watch.close();
		assert.equal(asked.at(-1)?.event, "unsubscribe:seats");
	});

	it("subscribes again once when several changes after a map show that one is missing", async () => {
		const { asked, got, watch } = open();
		watch.connected();
		for (const version of [3, 4, 5]) watch.updated(update(version, "A1", "held"));
		await answered(asked[0]!, map(1, seat("A", 1)));
		assert.equal(asked.length, 2);
		await answered(asked[1]!, map(5, seat("A", 1, "held")));
		assert.deepEqual(got, ["map 1", "map 5"]);
		watch.close();
	});

	it("subscribes again on each connection, and ignores the answer of the connection before", async () => {
		const { asked, got, watch } = open();
		watch.connected();
		watch.lost();
		watch.connected();
		await answered(asked[1]!, map(8, seat("A", 1)));
		await answered(asked[0]!, map(3, seat("A", 1)));
		assert.deepEqual(got, ["map 8"]);
		watch.close();
	});

	it("reports a refusal, and does not ask again", async () => {
		const problems: string[] = [];
		let asked = 0;
		const watch = watchSeats({
			showId: "gone",
			ask: async () => {
				asked++;
				return { ok: false, error: { type: "NOT_FOUND" } };
			},
			onMap: () => assert.fail("no map"),
			showProblem: (text: string) => problems.push(text)
		});
		watch.connected();
		await new Promise(setImmediate);
		assert.deepEqual([asked, problems], [1, ["This show cannot be watched."]]);
		watch.close();
	});
});

describe("the page's pick", () => {
	it("holds ten seats at most, and loses only those that were taken", () => {
		let changes = 0;
		const pick = createPick(() => changes++);
		const names = Array.from({ length: 11 }, (_, n) => `A${n + 1}`);
		assert.deepEqual(
			names.map(name => pick.toggle(name)),
			[...Array(10).fill(true), false]
		);
		assert.equal(pick.toggle("A3"), true);
		assert.deepEqual(pick.remove(["A1", "B9"]), ["A1"]);
		assert.deepEqual(pick.remove(["B9"]), []);
		assert.equal(changes, 12);
		assert.deepEqual(pick.names(), ["A2", "A4", "A5", "A6", "A7", "A8", "A9", "A10"]);
	});
});

describe("the page's holds", () => {
	let reports: string[];
	beforeEach(() => {
		reports = [];
	});
	const hold = (n: number, expiresAtMs = 60_000) => ({
		holdId: `h${n}`,
		showId: "s",
		seats: [`A${n}`],
		expiresAt: new Date(expiresAtMs).toISOString()
	});
	const newStore = () =>
		createHoldStore({
			onExpired: ({ holdId }: { holdId: string }) => reports.push(holdId),
			onChange: () => {}
		});
	const ids = (store: ReturnType<typeof newStore>) => store.list().map(({ holdId }: { holdId: string }) => holdId);

	it("report an expiry once, from any source, and never return after their end", () => {
		const store = newStore();
		store.read([hold(1), hold(2, 90_000)]);
		for (let n = 0; n < 2; n++) {
			store.read([hold(2, 90_000)]);
			store.expire(hold(1));
			store.put(hold(1));
		}
		assert.deepEqual([reports, ids(store)], [["h1"], ["h2"]]);
	});

	it("that are missing from the list after their time do not count as expired: they may have been bought in another tab", () => {
		const store = newStore();
		store.read([hold(1, 0), hold(2)]);
		store.read([hold(2)]);
		store.put(hold(1, 0));
		store.remove(hold(1, 0));
		store.expire(hold(1, 0));
		assert.deepEqual([reports, ids(store)], [[], ["h2"]]);
	});

	it("that were confirmed or released, here or elsewhere, do not count as expired", () => {
		const store = newStore();
		for (const n of [1, 2]) store.put(hold(n));
		store.remove(hold(1));
		store.read([hold(1)]);
		store.expire(hold(1));
		assert.deepEqual([reports, ids(store)], [[], []]);
	});
});

describe("the answer to a hold", () => {
	const SLOW = { seats: ["A1", "A2"] };
	/** Asks for seats of one show, of which another has seats with the same names. `openAnother` opens that one before the answer. */
	const ask = () => {
		const pick = createPick(() => {});
		const got: string[] = [];
		let isOpen = true;
		const holding = createHolding({
			pick,
			showProblem: (text: string) => got.push(`problem ${text}`),
			onNotAdmitted: () => got.push("not admitted"),
			onHeld: ({ holdId }: { holdId: string }) => got.push(`held ${holdId}`),
			toast: (text: string) => got.push(`toast ${text}`)
		});
		const { promise, resolve, reject } = Promise.withResolvers<object>();
		const session = { hold: () => promise, readSeatsIfOld: () => got.push("map read") };
		for (const name of ["A1", "A2", "A3"]) pick.toggle(name);
		const done = holding.hold(session, "s", SLOW, () => isOpen);
		const openAnother = () => {
			isOpen = false;
		};
		return { pick, holding, got, done, resolve, reject, openAnother };
	};
	const held = { holdId: "h", seats: SLOW.seats };
	const taken = new Refused("taken", [], "SEATS_TAKEN", { taken: ["A2"] });

	it("takes the seats out of the pick, or those that others have", async () => {
		const accepted = ask();
		assert.deepEqual([accepted.holding.isSending("A1"), accepted.holding.isSending("A3")], [true, false]);
		accepted.resolve(held);
		await accepted.done;
		assert.deepEqual([accepted.got, accepted.pick.names()], [["held h"], ["A3"]]);
		assert.equal(accepted.holding.isSending("A1"), false);

		const refused = ask();
		refused.reject(taken);
		await refused.done;
		assert.deepEqual(refused.pick.names(), ["A1", "A3"]);
		assert.deepEqual(refused.got.slice(-2), ["problem A2 is no longer free. Your other seats are still picked.", "map read"]);
	});

	it("changes nothing of another show that is open by then", async () => {
		for (const [answer, text] of [
			[held, "Held for you: A1 and A2"],
			[taken, "A2 is no longer free."],
			[
				new Refused("not admitted", [], "NOT_ADMITTED"),
				"It is not your turn yet. Join the queue, and wait until you are admitted."
			]
		] as const) {
			const { pick, holding, got, done, resolve, reject, openAnother } = ask();
			openAnother();
			assert.equal(holding.isSending("A1"), false);
			if (answer === held) resolve(answer);
			else reject(answer);
			await done;
			assert.deepEqual([got, pick.names()], [[`toast ${text}`], ["A1", "A2", "A3"]]);
		}
	});
});

describe("the layout of a hall", () => {
	const hall = layoutOf([
		...[3, 1, 2].map(number => seat("A", number)),
		...[1, 2, 3, 4, 5].map(number => seat("B", number)),
		...[1, 2, 6].map(number => seat("C", number, "free", "circle"))
	]);

	it("puts the first row at the front, sorts and centres each row, and leaves a gap for missing numbers and between categories", () => {
		const [a, b, c] = hall.lines;
		const columns = ({ seats }: { seats: { x: number }[] }) => seats.map(({ x }) => x);
		assert.deepEqual(
			[columns(a), columns(b), columns(c)],
			[
				[1.5, 2.5, 3.5],
				[0.5, 1.5, 2.5, 3.5, 4.5],
				[0.5, 1.5, 4.5]
			]
		);
		assert.deepEqual(
			[a, b, c].map(({ y }) => y),
			[0.5, 1.5, 3]
		);
		assert.deepEqual([a.seats[0].name, hall.width, hall.height], ["A1", 5, 3.5]);
	});

	it("leads each arrow key to the nearest seat, and no further than the edge", () => {
		for (const [from, key, to] of [
			["A1", "ArrowLeft", "A1"],
			["A1", "ArrowRight", "A2"],
			["A1", "ArrowDown", "B2"],
			["B5", "ArrowUp", "A3"],
			["B5", "ArrowDown", "C6"],
			["C2", "ArrowDown", "C2"],
			["B3", "Home", "B1"],
			["B3", "End", "B5"],
			["A2", "PageDown", "C2"],
			["A2", "x", undefined]
		])
			assert.equal(seatByKey(hall, from, key, false), to, `${from} ${key}`);
		assert.equal(seatByKey(hall, "B3", "End", true), "C6");
	});

	it("finds the seat at a point, and none far from all", () => {
		assert.equal(seatAt(hall, 2.6, 0.4), "A2");
		assert.equal(seatAt(hall, 0.2, 0.5), undefined);
		assert.equal(seatAt(hall, 2.5, 2.25), undefined);
		assert.equal(seatAt(layoutOf([]), 0, 0), undefined);
	});

	it("continues a very long row on the next line, and knows a place for each of 20,000 seats", () => {
		const long = layoutOf(Array.from({ length: 20_000 }, (_, n) => seat("A", n + 1)));
		assert.deepEqual([long.lines.length, long.width, long.places.size], [200, 100, 20_000]);
	});
});

describe("the shapes of seats", () => {
	it("differ between the states, and with the colour between 16 categories", () => {
		const states = Object.keys(STATE_NAMES);
		assert.equal(new Set(states.map(state => pathOf(0, state))).size, states.length);
		const categories = Array.from({ length: 16 }, (_, n) => `${pathOf(n, "free")} ${hueOf(n)}`);
		assert.equal(new Set(categories).size, 16);
	});
});

describe("the plan of a show", () => {
	it("names rows by letters or by numbers", () => {
		assert.deepEqual(rowsBetween("y", " AB "), { rows: ["Y", "Z", "AA", "AB"] });
		assert.deepEqual(rowsBetween("9", "11"), { rows: ["9", "10", "11"] });
		for (const [from, to] of [
			["A", "3"],
			["M", "A"],
			["", "B"],
			["1", "9999"],
			["A-B", "C"]
		])
			assert.equal(typeof rowsBetween(from, to).problem, "string", `${from} to ${to}`);
	});

	it("makes the seats of all blocks, with names that differ", () => {
		const { seats, problems } = planOf([block("A", "B", "2", " stalls ", "45,50"), block("1", "12", "12", "circle", "")]);
		assert.deepEqual(problems, ["", ""]);
		assert.deepEqual(seats[3], { seat: "B2", row: "B", number: 2, category: "stalls", price: 45.5 });
		assert.equal(seats.at(-1).price, 0);
		assert.equal(new Set(seats.map(({ seat }: { seat: string }) => seat)).size, 4 + 144);
	});

	it("says what is wrong with each block, and makes no seats of that one", () => {
		const { seats, problems } = planOf([
			block("A", "B", "2"),
			block("B", "C", "2"),
			block("D", "D", "0"),
			block("E", "E", "2", " "),
			block("F", "F", "2", "stalls", "-1"),
			block("G", "G", "20000")
		]);
		assert.equal(seats.length, 4);
		assert.equal(problems[0], "");
		for (const problem of problems.slice(1)) assert.match(problem, /\.$/);
		assert.deepEqual(planOf([block("A", "A", String(MAX_SEATS))]).problems, [""]);
		assert.notEqual(planOf([block("A", "B", "10001")]).problems[0], "");
	});
});

describe("the page's words", () => {
	it("shorten numbers, sum prices exactly, and count the time down", () => {
		assert.equal(rangesText([7, 2, 1, 3, 10, 9]), "1 to 3, 7, 9 to 10");
		assert.equal(sumOf([{ price: 0.1 }, { price: 0.2 }]), 0.3);
		assert.deepEqual([restText(605_900), restText(-1)], ["10:05", "0:00"]);
		assert.equal(takenText(["A1", "A2"], true), "A1 and A2 are no longer free. Your other seats are still picked.");
	});
});
