import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Kind, Movement } from "../../mixins/reservation/reservation.rules.ts";
import { actions, MAX_SEATS, topics } from "./seats.contract.ts";
import { hasEnded, isRetryOf, itemOf, seatOf, toChanges, toMap, toMessages, toSeat } from "./seats.rules.ts";

const movement = (showId: string, seat: string, kind: Kind, holder = "hold"): Movement => ({
	item: itemOf(showId, seat),
	label: seat,
	stock: kind === "deduct" ? 0 : 1,
	reserved: kind === "reserve" ? 1 : 0,
	version: 0,
	holder,
	kind,
	quantity: 1,
	previousStock: 1
});

describe("a seat of a new show", () => {
	for (const [seat, row, number] of [
		["A1", "A", 1],
		["A12", "A", 12],
		["AA-07", "AA", 7],
		["Balcony 3-12", "Balcony 3", 12],
		["12", "general", 12],
		["Box", "Box", 1],
		["S123456789", "S123", 456_789]
	] as const)
		it(`named ${seat} is number ${number} of row ${row}`, () => {
			assert.deepEqual(toSeat({ seat }), { seat, row, number, category: "general", priceCents: 0 });
		});

	it("keeps what it gives", () =>
		assert.deepEqual(toSeat({ seat: "A1", row: "Z", number: 0, category: "stalls", price: 45.1 }), {
			seat: "A1",
			row: "Z",
			number: 0,
			category: "stalls",
			priceCents: 4510
		}));

	it("has an item that contains its show and its name", () => {
		for (const seat of ["A1", "A/1", "/"]) assert.deepEqual(seatOf(itemOf("show", seat)), { showId: "show", seat });
	});
});

describe("the messages of a transaction", () => {
	const movements = [
		movement("one", "A1", "release", "first"),
		movement("two", "A1", "deduct", "second"),
		movement("one", "A2", "reserve", "third"),
		movement("one", "A1", "reserve", "third")
	];

	it("report the last status of each seat, once for each show", () =>
		assert.deepEqual(toChanges(movements), [
			{
				showId: "one",
				seats: [
					{ seat: "A1", status: "held" },
					{ seat: "A2", status: "held" }
				]
			},
			{ showId: "two", seats: [{ seat: "A1", status: "sold" }] }
		]));

	it("have at most a thousand seats each, and versions without gaps", () => {
		const many = Array.from({ length: 2_001 }, (_, n) => movement("one", `${n}`, "reserve"));
		const changes = toChanges(many);
		const messages = toMessages(many, changes, new Map([["one", 9]]), []);
		assert.deepEqual(
			messages.map(({ message }) => {
				const { version, seats } = message as { version: number; seats: { seat: string }[] };
				return [version, seats.length, seats[0]?.seat];
			}),
			[
				[7, 1_000, "0"],
				[8, 1_000, "1000"],
				[9, 1, "2000"]
			]
		);
	});

	it("have the version of their show and the id of the first request, and tell the buyers of expired holds", () => {
		const expired = { holdId: "first", showId: "one", buyerId: "ann", seats: ["A1"] };
		const requestIDs = new Map([
			["second", "request 2"],
			["third", "request 3"]
		]);
		const messages = toMessages(
			movements,
			toChanges(movements),
			new Map([
				["one", 7],
				["two", 1]
			]),
			[expired],
			requestIDs
		);
		assert.deepEqual(
			messages.map(({ topic, message, requestID }) => [topic, (message as { version?: number }).version, requestID]),
			[
				["seats.updated", 7, undefined],
				["seats.updated", 1, "request 2"],
				["hold.expired", undefined, undefined]
			]
		);
		assert.deepEqual(messages[2]!.message, expired);
		for (const { topic, message } of messages) topics[topic as "seats.updated"].message.parse(message);
	});
});

describe("a hold", () => {
	it("has ended when it was given back, or has expired without being sold", () => {
		for (const [state, isExpired, ended] of [
			["reserved", false, false],
			["reserved", true, true],
			["deducted", true, false],
			["given back", false, true]
		] as const)
			assert.equal(hasEnded({ state, isExpired }), ended, `${state} ${isExpired}`);
	});

	it("belongs to a request for the same seats, in the same words", () => {
		const hold = { wanted: { best: { count: 2, category: "stalls" } } };
		assert.ok(isRetryOf(hold, structuredClone(hold.wanted)));
		for (const wanted of [{ best: { count: 2 } }, { best: { count: 3, category: "stalls" } }, { seats: ["A1", "A2"] }])
			assert.ok(!isRetryOf(hold, wanted), JSON.stringify(wanted));
	});
});

describe("a request", () => {
	it("may create a show with 20,000 seats that give every field, with names of 64 characters", () => {
		const { maxBody, params } = actions["seats.createShow"];
		const text = "x".repeat(64);
		const seats = Array.from({ length: MAX_SEATS }, (_, n) => ({
			seat: String(n).padStart(64, "x"),
			row: text,
			number: 1_000_000,
			category: text,
			price: 999_999.99
		}));
		const show = { name: "x".repeat(200), startsAt: "9999-12-31T23:59:59.999Z", seats };
		assert.equal(params.safeParse(show).success, true);
		assert.ok(Buffer.byteLength(JSON.stringify(show)) <= maxBody!.bytes);
	});

	it("counts as more requests the more work it makes: 20 new seats, 5 seats of a hold, or a tenth of a choice of the best", () => {
		const [create, hold] = [actions["seats.createShow"].cost!, actions["seats.hold"].cost!];
		for (const [count, requests] of [
			[1, 1],
			[21, 2],
			[MAX_SEATS, 1_000]
		] as const)
			assert.equal(create({ seats: new Array(count).fill("A1") }), requests);
		for (const [count, requests] of [
			[1, 1],
			[5, 1],
			[6, 2]
		] as const)
			assert.equal(hold({ seats: new Array(count).fill("A1") }), requests);
		assert.equal(hold({ best: { count: 1 } }), 10);
		assert.equal(hold({}), 1);
	});
});

describe("a seat map", () => {
	const seats = ["A1", "A2", "A3"].map(seat => toSeat({ seat }));
	const mapWith = (letters: string, version = 3) => toMap("show", seats, { version, revision: "r", letters });

	it("has the seats in the order of the show, with their statuses", () => {
		const { result } = actions["seats.seats"];
		assert.deepEqual(result.parse(mapWith("fhs")), {
			showId: "show",
			version: 3,
			seats: ["free", "held", "sold"].map((status, n) => ({
				seat: `A${n + 1}`,
				row: "A",
				number: n + 1,
				category: "general",
				price: 0,
				status
			}))
		});
	});

	it("has an ETag that differs for another version, and for other statuses of the same version", () => {
		const { etag } = actions["seats.seats"];
		const tags = [mapWith("fhs"), mapWith("fhs", 4), mapWith("fhh")].map(map => etag!(map));
		assert.equal(new Set(tags).size, 3);
		assert.equal(etag!(mapWith("fhs")), tags[0]);
		assert.match(tags[0]!, /^3-[0-9a-f]{8}$/);
	});

	it("that is answered again has its ETag without another look at its seats", () => {
		const { etag } = actions["seats.seats"];
		const map = mapWith("fhs");
		let looks = 0;
		const observed = {
			...map,
			get seats() {
				looks++;
				return map.seats;
			}
		};
		assert.deepEqual([etag!(observed), etag!(observed)], Array(2).fill(etag!(map)));
		assert.equal(looks, 1);
	});
});
